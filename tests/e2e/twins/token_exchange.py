"""Where twins put flaws of the exchange: in the request, in the answer, in the token that is issued."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tests.e2e.in_process import InProcess
from tests.e2e.jws import KeyPair, claims_of, header_of
from tests.e2e.twins.layer import Forward, Request, Response, layer


def asked(stack: InProcess, change: Callable[[Request], Request | None]) -> AbstractContextManager[None]:
    """Change exchange requests before the server sees them; None leaves one as it is."""

    async def handle(request: Request, forward: Forward) -> Response:
        return await forward((request.is_exchange and change(request)) or request)

    return stack.auth_server.inside(layer(handle))


def answered(
    stack: InProcess, change: Callable[[Request, Response], Response | None]
) -> AbstractContextManager[None]:
    """Change the answers to exchange requests, refusals included; None leaves one as it is."""

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        return (request.is_exchange and change(request, answer)) or answer

    return stack.auth_server.inside(layer(handle))


def reissued(
    stack: InProcess, change: Callable[[Request, dict[str, Any]], dict[str, Any]]
) -> AbstractContextManager[None]:
    """Sign each delegation token anew, with some of its claims changed; None leaves one out."""

    def with_other_claims(request: Request, answer: Response) -> Response | None:
        return with_claims(stack, answer, change(request, claims_of(answer.json.get("access_token", ""))))

    return answered(stack, with_other_claims)


def with_claims(stack: InProcess, answer: Response, changes: dict[str, Any]) -> Response | None:
    """Return a successful answer with a token whose claims are changed; None if it holds no token."""
    token = answer.json.get("access_token")
    if not token or not changes:
        return None
    claims = {n: v for n, v in (claims_of(token) | changes).items() if v is not None}
    key = KeyPair(stack.context.server.tokens.keys.current().private_key)
    return answer.with_json(access_token=key.sign(header_of(token), claims))
