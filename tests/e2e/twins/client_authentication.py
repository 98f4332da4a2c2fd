"""Twins that exchange for clients that did not authenticate, or may not exchange (RFC 6749 §5.2)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final
from unittest.mock import patch

from auth_server.clients import Client
from auth_server.private_key_jwt import PrivateKeyJwt
from delegation.compact_jws import UnverifiedJwt
from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.jws import claims_of, header_of
from tests.e2e.minting import complete
from tests.e2e.twins.layer import Request, Response
from tests.e2e.twins.lenient import issued_anyway
from tests.e2e.twins.token_exchange import answered, asked
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict

_APP: Final = "banking-app"


@twin("AS-37", "exchanges for whoever holds the two tokens")
def needs_no_client(stack: InProcess) -> AbstractContextManager[None]:
    """Take the actor token for authentication enough."""
    return issued_anyway(stack, lambda request: not {"client_assertion", "client_id"} & request.form.keys())


@twin("AS-37", "takes client_id for authentication")
def takes_client_id_for_authentication(stack: InProcess) -> AbstractContextManager[None]:
    """Believe who says that it is the agent."""

    def only_says_so(request: Request) -> bool:
        return "client_assertion" not in request.form and request.form.get("client_id") == AGENT

    return issued_anyway(stack, only_says_so)


@twin("AS-37", "exchanges for clients that it does not know")
def takes_unknown_clients(stack: InProcess) -> AbstractContextManager[None]:
    """Issue where the assertion is a stranger's own."""

    def is_a_strangers(request: Request) -> bool:
        claims = assertion_claims(request)
        sub = claims.get("sub")
        return bool(sub) and sub == claims.get("iss") and not stack.is_client(str(sub))

    return issued_anyway(stack, is_a_strangers)


@twin("AS-37", "verifies no signature of assertions", also={"LC-72": Verdict.FAIL})
def verifies_no_assertion(_stack: InProcess) -> AbstractContextManager[object]:
    """Read their claims without the key."""

    async def claims(
        _self: PrivateKeyJwt, assertion: UnverifiedJwt, _client: Client, _kid: str
    ) -> dict[str, Any]:
        return assertion.claims

    return patch.object(PrivateKeyJwt, "_claims", claims)


@twin("AS-37", "takes unsigned assertions")
def takes_unsigned_assertions(stack: InProcess) -> AbstractContextManager[None]:
    """Let the header choose the algorithm."""

    def change(request: Request) -> Request | None:
        is_unsigned = header_of(request.form.get("client_assertion", "")).get("alg") == "none"
        return with_right_assertion(stack, request) if is_unsigned else None

    return asked(stack, change)


@twin("AS-37", "calls missing authentication invalid_request", verdict=Verdict.WRONG_CODE)
def calls_missing_authentication_an_invalid_request(stack: InProcess) -> AbstractContextManager[None]:
    """Answer as if a parameter were missing."""

    def change(request: Request, answer: Response) -> Response | None:
        missing = answer.status == 401 and "client_assertion" not in request.form
        return answer.with_json(error="invalid_request") if missing else None

    return answered(stack, change)


@twin("AS-38", "exchanges for every client that it knows")
def exchanges_for_every_client(stack: InProcess) -> AbstractContextManager[None]:
    """Do not look which grants the client is registered for."""
    return issued_anyway(stack, _is_the_apps)


@twin("AS-38", "calls a client that may not exchange invalid", verdict=Verdict.WRONG_CODE)
def calls_the_app_an_invalid_client(stack: InProcess) -> AbstractContextManager[None]:
    """Answer as if the app had not authenticated."""

    def change(request: Request, answer: Response) -> Response | None:
        return answer.with_json(error="invalid_client") if _is_the_apps(request) else None

    return answered(stack, change)


def _is_the_apps(request: Request) -> bool:
    claims = assertion_claims(request)
    return claims.get("iss") == claims.get("sub") == _APP


def assertion_claims(request: Request) -> dict[str, Any]:
    """Return the claims of the client assertion that was sent, unverified."""
    return claims_of(request.form.get("client_assertion", ""))


def with_right_assertion(stack: InProcess, request: Request) -> Request:
    """Return the request with an assertion of the agent that nothing is wrong with."""
    claims = {"iss": AGENT, "sub": AGENT, "aud": stack.context.settings.issuer}
    assertion = stack.keys["agent"].sign({"typ": "JWT"}, complete(claims))
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return request.with_form(client_id=AGENT, client_assertion_type=kind, client_assertion=assertion)


def overlooking(stack: InProcess, flaw: Callable[[dict[str, Any]], bool]) -> AbstractContextManager[None]:
    """Take assertions whose claims have this flaw for right."""

    def change(request: Request) -> Request | None:
        claims = assertion_claims(request)
        return with_right_assertion(stack, request) if claims and flaw(claims) else None

    return asked(stack, change)
