"""A client's own token, beside a customer's (RFC 9700 §4.15)."""

from tests.e2e.check import check
from tests.e2e.jws import claims_of
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun


@check("AS-43")
def a_clients_token_is_no_customers(target: Target) -> None:
    """Compare sub of the agents' own tokens with the customers'; send these tokens to the own interfaces.

    Where the tokens are opaque, introspection is asked. Registering a client under a customer's identifier
    is not tried.
    """
    server, expect = target.authorization_server, target.expect
    customers = {_sub(target, server.subject_token())}
    if target.file.sign_on:
        customers |= {target.file.sign_on.customer, target.file.sign_on.other_customer}
    tokens = {"the agent's own token": server.actor_token()}
    if "other_agent" in server.clients:
        tokens["the other agent's own token"] = server.other_actor_token()
    if not customers - {""} and not server.section.own_interfaces:
        raise NotRun("It takes a subject token that shows its sub, or authorization_server.own_interfaces.")
    seen = {what: _sub(target, token) for what, token in tokens.items()}
    if not any(seen.values()) and not server.section.own_interfaces:
        raise NotRun("It takes an actor token that shows its sub, or authorization_server.own_interfaces.")
    for what, token in tokens.items():
        sub = seen[what]
        expect.that(f"sub of {what}", "to be no customer's", sub, holds=not sub or sub not in customers)
        for interface in server.section.own_interfaces:
            answer = target.wire.get(interface, [("Authorization", f"Bearer {token}")])
            expect.denied(answer, f"{what} at {interface}", (401, 403))


def _sub(target: Target, token: str) -> str:
    sub = claims_of(token).get("sub")
    if sub is None and "introspection" not in target.file.not_offered:
        sub = target.authorization_server.introspect(token).json().get("sub")
    return sub if isinstance(sub, str) else ""
