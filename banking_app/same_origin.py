"""Only our own pages may open the connection over which Streamlit's pages live."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_POLICY_VIOLATION = 1008


class SameOriginMiddleware:
    """Refuses WebSockets of other origins (RFC 6455 §10.2).

    Streamlit allows every port of localhost, and to it another port is another origin, but not to the session
    cookie: any page that is served on this machine could act in the customer's session. Without an Origin it
    is no browser's page.
    """

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._own = urlsplit(public_url).netloc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "websocket":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc not in {self._own, headers.get("host")}:
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
                return
        await self._app(scope, receive, send)
