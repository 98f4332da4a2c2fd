"""Twins whose exchange spends its inputs, gives refresh tokens, or takes claims from the request."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tests.e2e.in_process import AGENT, OTHER_AGENT, InProcess
from tests.e2e.jws import claims_of
from tests.e2e.twins.layer import Forward, Request, Response, json_response, layer
from tests.e2e.twins.token_exchange import answered, asked, reissued, with_claims
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict


@twin("TX-11", "takes a subject token that holds one scope as used up by one exchange")
def spends_the_subject_token(stack: InProcess) -> AbstractContextManager[None]:
    """Refuse the second exchange."""
    spent = _Spent()

    async def handle(request: Request, forward: Forward) -> Response:
        if request.is_exchange and request.form.get("subject_token") in spent.tokens:
            return json_response(400, error="invalid_request")
        return spent.noting(request, await forward(request))

    return stack.auth_server.inside(layer(handle))


@twin("TX-11", "introspects a subject token that holds one scope as inactive after an exchange")
def forgets_the_subject_token(stack: InProcess) -> AbstractContextManager[None]:
    """Answer active: false after the exchange."""
    spent = _Spent()

    async def handle(request: Request, forward: Forward) -> Response:
        if request.path == "/introspect" and request.form.get("token") in spent.tokens:
            return json_response(200, active=False)
        return spent.noting(request, await forward(request))

    return stack.auth_server.inside(layer(handle))


class _Spent:
    """Remembers the subject tokens of one scope that were exchanged."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()

    def noting(self, request: Request, answer: Response) -> Response:
        token = request.form.get("subject_token", "")
        scopes = claims_of(token).get("scope", "").split()
        if request.is_exchange and answer.status == 200 and len(scopes) == 1:
            self.tokens.add(token)
        return answer


@twin("TX-33", "gives a refresh token with every delegation token")
def gives_refresh_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Add one to the answer."""
    return answered(stack, lambda _request, answer: _with_refresh_token(answer))


@twin("TX-33", "gives a refresh token to whoever asks for offline_access")
def gives_offline_access(stack: InProcess) -> AbstractContextManager[None]:
    """Add one to the answer if the scope says so."""

    def change(request: Request, answer: Response) -> Response | None:
        wanted = "offline_access" in request.form.get("scope", "")
        return _with_refresh_token(answer) if wanted else None

    return answered(stack, change)


@twin("TX-33", "does not look at requested_token_type")
def ignores_the_requested_token_type(stack: InProcess) -> AbstractContextManager[None]:
    """Issue an access token, whatever is asked for."""
    return asked(stack, lambda request: request.with_form(requested_token_type=None))


def _with_refresh_token(answer: Response) -> Response | None:
    return answer.with_json(refresh_token="forever") if answer.status == 200 else None


def _taking(claim: str, read: Callable[[str], Any]) -> None:
    """Register the twin that takes this claim from the parameter of its name."""

    def takes_it(stack: InProcess) -> AbstractContextManager[None]:
        """Write the parameter's value into the token."""

        def change(request: Request, _claims: dict[str, Any]) -> dict[str, Any]:
            return {claim: read(request.form[claim])} if claim in request.form else {}

        return reissued(stack, change)

    takes_it.__name__ = f"takes_{claim}_from_a_parameter"
    twin("TX-34", f"takes {claim} of the token from a parameter")(takes_it)


for _claim in ("sub", "aud"):
    _taking(_claim, str)
for _claim in ("act", "may_act"):
    _taking(_claim, json.loads)


@twin(
    "TX-34",
    "takes client_id from the parameter, whoever authenticated",
    also={"AS-38": Verdict.WRONG_CODE},
)
def takes_client_id_from_a_parameter(stack: InProcess) -> AbstractContextManager[None]:
    """Authenticate by the assertion alone, and name the client of the parameter."""

    async def handle(request: Request, forward: Forward) -> Response:
        client_id = request.form.get("client_id", AGENT)
        if not request.is_exchange or client_id in {AGENT, OTHER_AGENT}:
            return await forward(request)
        answer = await forward(request.with_form(client_id=AGENT))
        return with_claims(stack, answer, {"client_id": client_id}) or answer

    return stack.auth_server.inside(layer(handle))
