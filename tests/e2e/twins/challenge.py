"""Twins that refuse in the wrong words, or take a token from the wrong place."""

from contextlib import AbstractContextManager
from urllib.parse import parse_qs

from tests.e2e.in_process import InProcess
from tests.e2e.twins.lax_gateway import answering
from tests.e2e.twins.layer import Forward, Request, Response, json_response, layer
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict


def _has_token(request: Request) -> bool:
    return any(name == "authorization" and value.startswith("Bearer") for name, value in request.headers)


def _challenging(stack: InProcess, status: int, challenge: str | None) -> AbstractContextManager[None]:
    """Send another challenge with answers of this status to requests that have a token."""

    def change(request: Request, answer: Response) -> Response:
        if answer.status != status or not _has_token(request):
            return answer
        return answer.with_headers(www_authenticate=challenge)

    return answering(stack, change)


@twin("RS-60", "sends no challenge")
def sends_no_challenge(stack: InProcess) -> AbstractContextManager[None]:
    """Leave WWW-Authenticate out where there was no token."""

    def change(request: Request, answer: Response) -> Response:
        return answer if _has_token(request) else answer.with_headers(www_authenticate=None)

    return answering(stack, change)


@twin("RS-60", "blames who has not said anything yet")
def names_an_error_without_a_token(stack: InProcess) -> AbstractContextManager[None]:
    """Send an error code where there was no token."""

    def change(request: Request, answer: Response) -> Response:
        if answer.status != 401 or _has_token(request):
            return answer
        return answer.with_headers(www_authenticate='Bearer error="invalid_token"')

    return answering(stack, change)


@twin("RS-61", "does not say what is wrong with a token", verdict=Verdict.WRONG_CODE)
def names_no_error(stack: InProcess) -> AbstractContextManager[None]:
    """Send a bare challenge."""
    return _challenging(stack, 401, "Bearer")


@twin("RS-61", "calls a missing scope an invalid token", verdict=Verdict.WRONG_CODE)
def calls_a_missing_scope_an_invalid_token(stack: InProcess) -> AbstractContextManager[None]:
    """Send 403 with the other code."""
    return _challenging(stack, 403, 'Bearer error="invalid_token"')


@twin("RS-61", "names a scope that does not help")
def names_another_scope(stack: InProcess) -> AbstractContextManager[None]:
    """Send the scope of another operation."""
    return _challenging(stack, 403, 'Bearer error="insufficient_scope", scope="account:read_balance"')


@twin("RS-61", "does not look at the scope", also={"RS-91": Verdict.FAIL, "TX-14": Verdict.FAIL})
def ignores_scope(stack: InProcess) -> AbstractContextManager[None]:
    """Serve what the token is too narrow for."""

    def change(_request: Request, answer: Response) -> Response:
        return json_response(200, transactions=[]) if _lacks_scope(answer) else answer

    return answering(stack, change)


def _lacks_scope(answer: Response) -> bool:
    return "insufficient_scope" in dict(answer.headers).get("www-authenticate", "")


@twin("RS-62", "takes a token from the address")
def takes_a_token_from_the_address(stack: InProcess) -> AbstractContextManager[None]:
    """Move the token from the address to the header."""

    async def handle(request: Request, forward: Forward) -> Response:
        [token] = parse_qs(request.query).get("access_token", [""])
        if token and not _has_token(request):
            request = request.with_query("").with_headers(authorization=f"Bearer {token}")
        return await forward(request)

    return stack.gateway.inside(layer(handle))


@twin("RS-62", "does not see a second token in the address")
def overlooks_a_token_in_the_address(stack: InProcess) -> AbstractContextManager[None]:
    """Drop the query where there is a header."""

    async def handle(request: Request, forward: Forward) -> Response:
        return await forward(request.with_query("") if _has_token(request) else request)

    return stack.gateway.inside(layer(handle))


@twin("RS-62", "takes the first of two tokens")
def takes_the_first_of_two(stack: InProcess) -> AbstractContextManager[None]:
    """Drop the second Authorization header."""

    async def handle(request: Request, forward: Forward) -> Response:
        fields = [value for name, value in request.headers if name == "authorization"]
        return await forward(request.with_headers(authorization=fields[0]) if len(fields) > 1 else request)

    return stack.gateway.inside(layer(handle))


@twin("RS-63", "names the audience in its metadata, which is not where it was found")
def names_another_resource(stack: InProcess) -> AbstractContextManager[None]:
    """Write the tokens' audience into resource."""

    def change(request: Request, answer: Response) -> Response:
        if not request.path.endswith("oauth-protected-resource"):
            return answer
        return answer.with_json(resource="https://account.api.example.com")

    return answering(stack, change)
