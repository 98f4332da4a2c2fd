"""Twins that let others revoke a token (RFC 7009 §2.1), or refuse what is unknown (§2.2)."""

from contextlib import AbstractContextManager

from auth_server.tables import IssuedToken
from delegation.clock import utc_now
from tests.e2e.in_process import InProcess
from tests.e2e.jws import claims_of
from tests.e2e.twins.layer import Forward, Request, Response, json_response, layer
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict


@twin("LC-74", "answers the revocation of a token that it does not know with an error")
def refuses_to_revoke_what_it_does_not_know(stack: InProcess) -> AbstractContextManager[None]:
    """Call the request invalid."""

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        known = claims_of(request.form.get("token", ""))
        is_it = request.path == "/revoke" and answer.status == 200 and not known
        return json_response(400, error="invalid_request") if is_it else answer

    return stack.auth_server.inside(layer(handle))


@twin("LC-74", "revokes a token for every client that authenticates")
def revokes_for_every_client(stack: InProcess) -> AbstractContextManager[None]:
    """Do not look to whom it was issued."""
    return _where_refused(stack, 400, ends=True, says=200)


@twin("LC-74", "refuses another client, and revokes the token all the same")
def refuses_and_revokes(stack: InProcess) -> AbstractContextManager[None]:
    """Look who asks when all is done."""
    return _where_refused(stack, 400, ends=True, says=400)


@twin("LC-74", "revokes a token for whoever asks")
def revokes_for_anyone(stack: InProcess) -> AbstractContextManager[None]:
    """Ask for no authentication."""
    return _where_refused(stack, 401, ends=True, says=200)


@twin("LC-74", "does nothing for another client, and says that it did", verdict=Verdict.WRONG_CODE)
def pretends_to_revoke(stack: InProcess) -> AbstractContextManager[None]:
    """Answer 200."""
    return _where_refused(stack, 400, ends=False, says=200)


def _where_refused(stack: InProcess, status: int, *, ends: bool, says: int) -> AbstractContextManager[None]:
    """Answer revocations otherwise that are refused with this status, and end the token or not."""

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        if request.path != "/revoke" or answer.status != status:
            return answer
        if ends:
            with stack.context.transaction() as db:
                row = db.get(IssuedToken, claims_of(request.form.get("token", "")).get("jti", ""))
                assert row
                row.revoked_at = utc_now()
        return json_response(200) if says == 200 else answer

    return stack.auth_server.inside(layer(handle))
