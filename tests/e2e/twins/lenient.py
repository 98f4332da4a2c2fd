"""Where twins put leniency: a rule that is not applied, a claim misread, a refusal turned into a token."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final
from unittest.mock import patch

import auth_server.token_exchange
import auth_server.tokens
from auth_server.delegation_rules import ExchangeRequest, check_actor_token, check_subject_token
from delegation.token import AccessToken
from delegation.verification import access_token
from delegation.verified_tokens import VerifiedTokens
from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.jws import claims_of
from tests.e2e.minting import complete
from tests.e2e.twins.layer import Request, Response, json_response
from tests.e2e.twins.token_exchange import answered

RESOURCE: Final = "https://account.api.example.com"
_RULES: Final = {"check_subject_token": check_subject_token, "check_actor_token": check_actor_token}


def unchecked(rule: str, when: Callable[[ExchangeRequest], bool]) -> AbstractContextManager[object]:
    """Do not apply one of the two rules about tokens when a request is like this."""
    checked = _RULES[rule]

    def check(request: ExchangeRequest) -> None:
        if not when(request):
            checked(request)

    return patch.object(auth_server.token_exchange, rule, check)


def read_otherwise(change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> AbstractContextManager[object]:
    """Read some claims of verified tokens otherwise than they stand there; None for one that is not read."""

    def read(claims: Mapping[str, Any], issuer: str, audience: str | None, now: datetime) -> AccessToken:
        changed = {n: v for n, v in {**claims, **change(claims)}.items() if v is not None}
        return access_token(changed, issuer, audience, now)

    return patch.object(auth_server.tokens, "access_token", read)


def remembering_nothing(stack: InProcess) -> AbstractContextManager[object]:
    """Let no token that was verified before pass, and none that is verified now pass afterwards."""
    return patch.object(stack.context.server.tokens, "_verified", VerifiedTokens(0))


def issued_anyway(
    stack: InProcess, when: Callable[[Request], bool], **changes: Any
) -> AbstractContextManager[None]:
    """Issue a token where the exchange was refused and the request is like this.

    It is a delegation token for what was asked, some claims changed; None leaves one out.
    """

    def change(request: Request, answer: Response) -> Response | None:
        if answer.status == 200 or not when(request):
            return None
        form = request.form
        scope = form.get("scope", "")
        claims: dict[str, Any] = {
            "iss": stack.context.settings.issuer,
            "sub": claims_of(form.get("subject_token", "")).get("sub", "customer@example.com"),
            "aud": form.get("resource") or form.get("audience") or RESOURCE,
            "client_id": AGENT,
            "act": {"sub": AGENT},
            "scope": scope,
        }
        token = stack.sign({"typ": "at+jwt"}, complete(claims | changes))
        kind = "urn:ietf:params:oauth:token-type:access_token"
        body = {"access_token": token, "issued_token_type": kind, "token_type": "Bearer", "scope": scope}
        return json_response(200, **body, expires_in=300)

    return answered(stack, change)


def subject_claims(request: Request) -> dict[str, Any]:
    """Return the claims of the subject token that was sent, unverified."""
    return claims_of(request.form.get("subject_token", ""))
