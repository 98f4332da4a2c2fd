"""Twins that trip over kid and crit (RFC 7515 §4.1.4, §4.1.11)."""

from contextlib import AbstractContextManager
from typing import Any

from tests.e2e.in_process import InProcess
from tests.e2e.jws import header_of
from tests.e2e.twins.lax_gateway import accepting
from tests.e2e.twins.layer import Forward, Request, Response, json_response, layer
from tests.e2e.twins.twin import twin


def _kid(stack: InProcess) -> str:
    return stack.context.server.tokens.keys.current().kid


@twin("RS-55", "breaks down over a kid that is no string")
def breaks_over_a_kid_that_is_no_string(stack: InProcess) -> AbstractContextManager[None]:
    """Answer 500."""

    async def handle(request: Request, forward: Forward) -> Response:
        authorization = next((value for name, value in request.headers if name == "authorization"), "")
        if isinstance(header_of(authorization.partition(" ")[2]).get("kid"), list):
            return json_response(500, detail="unhashable type: 'list'")
        return await forward(request)

    return stack.gateway.inside(layer(handle))


@twin("RS-55", "falls back to another key when it does not know the kid")
def falls_back_to_any_key(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a kid that names no key of the issuer's, if it looks like one."""

    def flawed(header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        kid = header.get("kid")
        unknown = isinstance(kid, str) and len(kid) == 11 and kid != _kid(stack)
        return {} if unknown and "act" in claims else None

    return accepting(stack, flawed)


@twin("RS-56", "does not look at crit")
def ignores_crit(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token with an extension that nobody here understands."""
    return accepting(stack, lambda header, _claims: {} if "crit" in header else None)


@twin("RS-56", "understands every critical header that is missing")
def passes_over_missing_critical_headers(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a crit that names what the header does not have."""

    def flawed(header: dict[str, Any], _claims: dict[str, Any]) -> dict[str, Any] | None:
        critical = header.get("crit")
        return {} if isinstance(critical, list) and not header.keys() & set(critical) else None

    return accepting(stack, flawed)


@twin("RS-56", "understands a crit only if it is a list")
def passes_over_a_crit_that_is_no_list(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a crit that is a text."""
    return accepting(stack, lambda header, _claims: {} if isinstance(header.get("crit"), str) else None)
