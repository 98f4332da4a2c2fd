"""What this app needs of others before it can do its work, and the line that says where to open it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from ssl import SSLContext
from typing import Final

import httpx2
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from banking_app import database
from banking_app.settings import Settings
from delegation.health import NotReady, lacking

_TIMEOUT_SECONDS: Final = 3.0
_BETWEEN_LOOKS_SECONDS: Final = 0.5

Checks = Mapping[str, Callable[[], Awaitable[None]]]


def readiness_checks(settings: Settings, engine: Engine, tls: SSLContext) -> Checks:
    """Return the checks behind `/readyz`, by the name of what they look at."""

    async def store() -> None:
        try:
            await asyncio.to_thread(database.check, engine)
        except SQLAlchemyError:
            raise NotReady(f"the database in {settings.data_dir} does not answer; see DATA_DIR") from None

    async def answers(url: str, what: str, setting: str) -> None:
        try:
            async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, verify=tls) as http:
                response = await http.get(url)
        except httpx2.HTTPError:
            raise NotReady(f"{what} cannot be reached at {url}; see {setting}") from None
        if not response.is_success:
            raise NotReady(f"{what} answered {response.status_code} at {url}; see that service's log")

    async def sign_on() -> None:
        await answers(settings.jwks_uri, "the authorization server's keys", "JWKS_URI")

    async def chatbot() -> None:
        await answers(f"{settings.chatbot_url}/readyz", "the chatbot", "CHATBOT_URL")

    async def account_api() -> None:
        await answers(f"{settings.account_api_url}/readyz", "the account API", "ACCOUNT_API_URL")

    return {"store": store, "sign_on": sign_on, "chatbot": chatbot, "account_api": account_api}


async def announce_when_ready(checks: Checks, public_url: str) -> None:
    """Wait until nothing is lacking, then say on standard output which address to open."""
    while await lacking(checks):  # noqa: ASYNC110 - other services become ready: no event here tells
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
    sys.stdout.write(f"Open {public_url} and sign on\n")
    sys.stdout.flush()
