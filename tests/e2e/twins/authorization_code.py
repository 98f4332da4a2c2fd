"""Twins that redeem a code twice, or let live what a stolen one gave (RFC 6749 §4.1.2)."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from unittest.mock import patch

from sqlalchemy import update
from sqlalchemy.orm import Session

import auth_server.authorization_code
from auth_server.authorization_code import AuthorizationCodeGrant
from auth_server.tables import IssuedToken, RefreshToken
from tests.e2e.in_process import InProcess
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict


@twin("AS-41", "takes a code as often as it comes, in its minute", also={"AS-88": Verdict.FAIL})
def takes_a_code_again(_stack: InProcess) -> AbstractContextManager[object]:
    """Do not mark it as used."""
    return patch.object(AuthorizationCodeGrant, "delete_authorization_code", lambda _self, _code: None)


@twin("AS-41", "calls a used code invalid_request", verdict=Verdict.WRONG_CODE)
def calls_a_used_code_an_invalid_request(stack: InProcess) -> AbstractContextManager[None]:
    """Answer as if the request were malformed."""
    seen: set[str] = set()

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        code = request.form.get("code", "")
        again = request.path == "/token" and code in seen
        seen.add(code)
        return answer.with_json(error="invalid_request") if code and again else answer

    return stack.auth_server.inside(layer(handle))


@twin("AS-88", "ends the refresh token of a code that comes again, and not the access token")
def lets_the_first_access_token_live(_stack: InProcess) -> AbstractContextManager[object]:
    """Let access tokens run out."""
    return _ending(RefreshToken)


@twin("AS-88", "ends the access token of a code that comes again, and not the refresh token")
def lets_the_first_refresh_token_live(_stack: InProcess) -> AbstractContextManager[object]:
    """Forget that the thief may have got the other one."""
    return _ending(IssuedToken)


def _ending(table: Any) -> AbstractContextManager[object]:
    """Let a second use end tokens of one kind alone."""

    def revoke(db: Session, family: str, now: datetime) -> None:
        db.execute(update(table).where(table.family == family).values(revoked_at=now))

    return patch.object(auth_server.authorization_code, "revoke_family", revoke)
