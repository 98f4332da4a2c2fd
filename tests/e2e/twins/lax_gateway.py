"""How a twin's gateway lets flawed tokens in: the flaw is mended before the real gateway sees it."""

import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tests.e2e.in_process import InProcess
from tests.e2e.jws import claims_of, header_of
from tests.e2e.minting import complete
from tests.e2e.twins.layer import Forward, Request, Response, layer

Flawed = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any] | None]
"""Gets the header and the claims of a token; returns the claims that make it good, or None if it may stay."""


def accepting(stack: InProcess, flawed: Flawed, only_at: str = "") -> AbstractContextManager[None]:
    """Accept tokens with a flaw: a good token is sent in their place, with the claims that differ.

    A claim of None is left out, the times are those of a new token. The signature of what came is not
    looked at. `only_at` is the one path where the gateway is so lax; without it, all.
    """

    async def handle(request: Request, forward: Forward) -> Response:
        fields = [value for name, value in request.headers if name == "authorization"]
        token = fields[0].partition(" ")[2] if len(fields) == 1 else ""
        header, claims = header_of(token), claims_of(token)
        is_lax = only_at in {"", request.path}
        changes = flawed(header, claims) if header and is_lax else None
        if changes is not None:
            now = int(time.time())
            fresh = {"jti": secrets.token_urlsafe(8), "iat": now, "exp": now + 300}
            good = complete({**claims, **changes} | fresh)
            request = request.with_headers(authorization=f"Bearer {stack.sign({'typ': 'at+jwt'}, good)}")
        return await forward(request)

    return stack.gateway.inside(layer(handle))


def answering(
    stack: InProcess, change: Callable[[Request, Response], Response]
) -> AbstractContextManager[None]:
    """Change what the gateway answers."""

    async def handle(request: Request, forward: Forward) -> Response:
        return change(request, await forward(request))

    return stack.gateway.inside(layer(handle))
