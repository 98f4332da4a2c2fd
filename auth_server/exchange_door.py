"""Token exchanges are taken in front of FastAPI's routing, which costs a fifth of one."""

from typing import Final

from authlib.oauth2 import OAuth2Error
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth_server.context import Context, client_form
from auth_server.oauth_request import FormTooLong, Parameters
from delegation.token_exchange import GRANT_TYPE

FAILURE: Final = "auth_server.exchange_failure"
"""Where the token endpoint's route finds why an exchange failed, and has it answered as all failures are."""


def is_exchange(parameters: Parameters) -> bool:
    """Tell whether a token request is for an exchange."""
    return ("grant_type", GRANT_TYPE) in parameters


class ExchangeDoor:
    """Answers well-formed exchanges. Every other request goes on as it came."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", "/token"):
            await self._app(scope, receive, send)
            return
        read: list[Message] = []

        async def reading() -> Message:
            read.append(await receive())
            return read[-1]

        async def once_more() -> Message:
            return read.pop(0) if read else await receive()

        try:
            parameters: Parameters = await client_form(Request(scope, reading))
        except (OAuth2Error, FormTooLong):  # the route will meet it, too
            parameters = ()
        if is_exchange(parameters):
            try:
                answer = await self._context.exchanges.answer(parameters)
            except Exception as error:  # noqa: BLE001 - the route raises it
                scope[FAILURE] = error
            else:
                await answer.as_http()(scope, receive, send)
                return
        await self._app(scope, once_more, send)
