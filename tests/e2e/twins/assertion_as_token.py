"""Twins that take a client assertion for one of the two tokens (RFC 8725 §3.12)."""

from contextlib import AbstractContextManager
from typing import Final

from delegation.token_exchange import ACCESS_TOKEN_TYPE
from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.jws import claims_of
from tests.e2e.minting import complete
from tests.e2e.twins.exchange_request import actor_token
from tests.e2e.twins.layer import Request
from tests.e2e.twins.token_exchange import asked
from tests.e2e.twins.twin import twin

_APP: Final = "banking-app"


@twin("AS-47", "takes an assertion of the agent for its actor token")
def takes_an_assertion_for_an_actor_token(stack: InProcess) -> AbstractContextManager[None]:
    """Ask only who signed it."""

    def change(request: Request) -> Request | None:
        if not _is_assertion(request.form.get("actor_token", "")):
            return None
        return request.with_form(actor_token=actor_token(stack), actor_token_type=ACCESS_TOKEN_TYPE)

    return asked(stack, change)


@twin("AS-47", "takes an assertion that is declared as a JWT for a subject token")
def takes_an_assertion_for_a_subject_token(stack: InProcess) -> AbstractContextManager[None]:
    """Take any JWT of a party that it knows for what it is said to be."""

    def change(request: Request) -> Request | None:
        form = request.form
        declared = form.get("subject_token_type") == "urn:ietf:params:oauth:token-type:jwt"
        if not declared or not _is_assertion(form.get("subject_token", "")):
            return None
        claims = {"iss": stack.context.settings.issuer, "sub": "customer@example.com", "aud": AGENT}
        claims |= {"client_id": _APP, "scope": form.get("scope", "")}
        subject_token = stack.sign({"typ": "at+jwt"}, complete(claims | {"may_act": {"sub": AGENT}}))
        return request.with_form(subject_token=subject_token, subject_token_type=ACCESS_TOKEN_TYPE)

    return asked(stack, change)


def _is_assertion(token: str) -> bool:
    claims = claims_of(token)
    return claims.get("iss") == claims.get("sub") == AGENT
