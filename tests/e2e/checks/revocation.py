"""Who may revoke a token (RFC 7009)."""

import secrets

from tests.e2e.check import check
from tests.e2e.target import Target
from tests.e2e.verdict import Failed, NotRun


@check("LC-74")
def only_its_own_client_revokes_a_token(target: Target) -> None:
    """Revoke what nobody issued; then the agent's delegation token as each other client, and as nobody.

    Whether that token is still good afterwards is asked of introspection. A server that answers 200 and
    does nothing keeps the token safe, and lacks the refusal of RFC 7009 §2.1.
    """
    server, expect = target.authorization_server, target.expect
    for what, token in {"no token": "no-token-at-all", "an unknown token": secrets.token_urlsafe(32)}.items():
        answer = server.revoke(token)
        expect.that(f"the revocation of {what}", "to be answered 200", answer, holds=answer.status == 200)
    others = {f"as {n}": one for n, one in server.clients.items() if one.client_id != server.agent.client_id}
    if not others:
        raise NotRun("It takes another client than the agent: [clients.app].")
    for what, client in {**others, "without authentication": None}.items():
        token = server.delegation_token()
        was_active = is_active(target, token)
        answer = server.post("revocation_endpoint", [("token", token)], client)
        what = f"the revocation of the agent's token {what}"
        if was_active and not is_active(target, token):
            raise Failed(f"{what} to leave the token as it is", f"{answer}, and it is not active any more")
        if answer.is_success and not was_active:
            raise Failed(f"{what} to be refused", f"{answer}, and nothing shows that it is still active")
        if answer.is_success:
            expect.note(Failed(f"{what} to be refused", str(answer)))
        else:
            expect.refused(answer, what, (), (400, 401, 403))


def is_active(target: Target, token: str) -> bool:
    """Tell whether introspection shows the agent that a token is active; no if there is no introspection."""
    offered = "introspection" not in target.file.not_offered
    return offered and target.authorization_server.introspect(token).json().get("active") is True
