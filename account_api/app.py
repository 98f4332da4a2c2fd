"""Wiring: settings, database, verifier and routes become the application."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import httpx2
from fastapi import FastAPI
from mcp.server.transport_security import TransportSecuritySettings
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from account_api import problems
from account_api.bank import Bank, bank_of
from account_api.books import books, keeping
from account_api.call import Recorder
from account_api.database import Database, DatabaseUnavailable
from account_api.mcp_endpoint import McpEndpoint
from account_api.mcp_server import mcp_sessions
from account_api.metadata import WELL_KNOWN, resource_metadata
from account_api.openapi import AccountApi
from account_api.recorded_route import Shortcut, refused
from account_api.routes import router
from account_api.seed import seed_if_empty
from account_api.settings import Settings
from account_api.tables import metadata
from delegation.clock import Clock, utc_now
from delegation.database import add_missing_columns, open_database
from delegation.event_receiver import EventReceiver, event_receiver, receiving
from delegation.health import Check, NotReady, health_routes
from delegation.jwks import RemoteKeySet
from delegation.record_keeping import keeping_records
from delegation.scope import Scope
from delegation.signing_key import SigningKey, jwk_set
from delegation.trace import TraceMiddleware
from delegation.verification import TokenVerifier

DATABASE_FILE: Final = "account_api.sqlite3"


def create_app(settings: Settings | None = None, clock: Clock = utc_now) -> FastAPI:
    """Return the account API; `uvicorn account_api.app:create_app --factory` serves it.

    Raises:
        ValueError: DATABASE_URL is neither of PostgreSQL nor of SQLite.
        OSError: DATA_DIR cannot be made.
    """
    settings = settings or Settings()
    http = httpx2.AsyncClient()
    keys = RemoteKeySet(settings.jwks_uri, http, clock)
    database = _database(settings, clock)
    key = SigningKey.load_or_create(settings.data_dir / "signing_key.pem")
    receiver = event_receiver(settings, key, keys, http, clock)
    sessions = mcp_sessions()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with http, receiving(receiver), sessions.run():
            # A database that is not up yet is no reason not to start: /readyz says what is lacking.
            with suppress(DatabaseUnavailable):
                await database.in_thread(_use, database)
            kept = books(settings, database.transaction, key, http, clock)
            async with keeping_records(keeping(settings, kept, clock)):
                # What was made until now stays: to look through all of it for garbage would hold calls up.
                gc.freeze()
                yield
        database.dispose()

    app = AccountApi(
        title="Account API",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _answer_unrouted, Exception: _answer_fault},
    )
    bank = app.state.bank = Bank(
        database=database,
        verifier=TokenVerifier(
            settings.issuer,
            settings.audience,
            keys,
            clock=clock,
            revocations=receiver.revocations if receiver else None,
            verified_tokens=settings.verified_tokens,
        ),
        app_client_ids=settings.app_client_ids,
        resource_metadata_url=settings.resource_metadata_url,
        clock=clock,
    )
    app.include_router(router)
    security = TransportSecuritySettings(
        allowed_hosts=list(settings.mcp_hosts), allowed_origins=list(settings.mcp_origins)
    )
    app.router.routes.append(Route("/mcp", McpEndpoint(bank, sessions, security), methods=["POST"]))
    app.router.routes.extend(_public_routes(settings, database, keys, key, receiver))
    app.front = TraceMiddleware(Shortcut(app.framework, router.routes))
    return app


def _database(settings: Settings, clock: Clock) -> Database:
    def prepare(db: Connection) -> None:
        metadata.create_all(db)
        add_missing_columns(db, metadata)
        seed_if_empty(db, clock())

    sqlite_file = settings.data_dir / DATABASE_FILE
    return Database(open_database(settings.database_url.get_secret_value(), sqlite_file), prepare)


def _public_routes(
    settings: Settings,
    database: Database,
    keys: RemoteKeySet,
    key: SigningKey,
    receiver: EventReceiver | None,
) -> list[Route]:
    async def database_ready() -> None:
        try:
            await database.in_thread(_use, database)
        except DatabaseUnavailable as error:
            raise NotReady("The database does not answer. Check DATABASE_URL or DATA_DIR.") from error

    async def keys_ready() -> None:
        if not await keys.ready():
            raise NotReady(f"The issuer's keys cannot be had from {settings.jwks_uri}. Check JWKS_URI.")

    document = resource_metadata(settings, router.routes)

    async def metadata_document(_request: Request) -> JSONResponse:
        return JSONResponse(document)

    async def jwks(_request: Request) -> JSONResponse:
        return JSONResponse(jwk_set(key))

    checks: dict[str, Check] = {"database": database_ready, "keys": keys_ready}
    return [
        *health_routes(checks | ({"security events": receiver.ready} if receiver else {})),
        Route(WELL_KNOWN, metadata_document),
        Route("/jwks.json", jwks),
    ]


def _use(database: Database) -> None:
    with database.transaction():
        pass


async def _answer_fault(_request: Request, _error: Exception) -> Response:
    """Answer when even the record of a refusal failed for a reason that nobody foresaw; uvicorn logs it."""
    return problems.internal_error().response()


async def _answer_unrouted(request: Request, error: Exception) -> Response:
    """Answer, and record, a request that no route takes: 404 or 405."""
    bank = await bank_of(request)
    recorder = Recorder(database=bank.database, clock=bank.clock, operation="none")
    return await refused(error, recorder, Scope(), bank)
