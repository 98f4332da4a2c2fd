"""Twins that take bad tokens and targets, or refuse them with another code (RFC 8693 §2.2.2)."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import urlsplit

import auth_server.tokens
from delegation.token import AccessToken
from delegation.verification import access_token
from tests.e2e.in_process import InProcess
from tests.e2e.jws import claims_of
from tests.e2e.twins.exchange_request import actor_token
from tests.e2e.twins.layer import Request, Response
from tests.e2e.twins.lenient import remembering_nothing
from tests.e2e.twins.token_exchange import answered, asked
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict

_TARGET: Final = "https://account.api.example.com"


@twin("TX-06", "verifies no signature of the tokens that it is sent", also={"TX-32": Verdict.FAIL})
@contextmanager
def verifies_no_signature(stack: InProcess) -> Iterator[None]:
    """Read the claims without the key."""
    with (
        remembering_nothing(stack),
        patch.object(
            auth_server.tokens, "signed_claims", lambda encoded, _key, _algorithms: claims_of(encoded)
        ),
    ):
        yield


@twin("TX-06", "takes subject and actor tokens that have expired")
@contextmanager
def takes_expired_tokens(stack: InProcess) -> Iterator[None]:
    """Move the expiry of each token that is read into the future."""

    def read(claims: Mapping[str, Any], issuer: str, audience: str | None, now: datetime) -> AccessToken:
        exp = claims.get("exp")
        later = {"exp": now.timestamp() + 60} if isinstance(exp, int) and exp <= now.timestamp() else {}
        return access_token({**claims, **later}, issuer, audience, now)

    with remembering_nothing(stack), patch.object(auth_server.tokens, "access_token", read):
        yield


@twin("TX-06", "takes the client for the actor when the actor token is no token")
def overlooks_a_garbled_actor_token(stack: InProcess) -> AbstractContextManager[None]:
    """Fill in an actor token in the place of one that cannot be read."""

    def change(request: Request) -> Request | None:
        sent = request.form.get("actor_token")
        return request.with_form(actor_token=actor_token(stack)) if sent and not claims_of(sent) else None

    return asked(stack, change)


@twin(
    "TX-06",
    "calls a bad token invalid_grant",
    verdict=Verdict.WRONG_CODE,
    also={"TX-32": Verdict.WRONG_CODE},
)
def calls_a_bad_token_an_invalid_grant(stack: InProcess) -> AbstractContextManager[None]:
    """Answer tokens whose signature is wrong as other grants do."""

    def change(_request: Request, answer: Response) -> Response | None:
        wrong = "signature" in answer.json.get("error_description", "")
        return answer.with_json(error="invalid_grant") if wrong else None

    return answered(stack, change)


@twin(
    "TX-07",
    "issues for its default target when it does not know the one named",
    also={"TX-28": Verdict.FAIL},
)
def falls_back_to_its_default_target(stack: InProcess) -> AbstractContextManager[None]:
    """Put the account API in the place of a target on a domain that it does not know."""

    def change(request: Request) -> Request | None:
        host = urlsplit(request.form.get("resource", "")).hostname or ""
        return request.with_form(resource=_TARGET) if host.endswith(".example.net") else None

    return asked(stack, change)


@twin("TX-07", "calls an unknown target invalid_request", verdict=Verdict.WRONG_CODE)
def calls_an_unknown_target_an_invalid_request(stack: InProcess) -> AbstractContextManager[None]:
    """Answer a target that the agent may not reach like any other fault."""

    def change(_request: Request, answer: Response) -> Response | None:
        unknown = "at this resource" in answer.json.get("error_description", "")
        return answer.with_json(error="invalid_request") if unknown else None

    return answered(stack, change)
