"""The authorization server, wired together: `uvicorn auth_server.app:create_app --factory`."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import BaseRoute

from auth_server import (
    administration,
    administration_customers,
    administration_grants,
    audit_trail,
    authorize,
    checkpoints,
    consent,
    end_session,
    endpoints,
    event_delivery,
    own_interfaces,
    sign_on,
)
from auth_server.audit import transaction
from auth_server.authorization_code import (
    AuthorizationCodeGrant,
    AuthorizationRequestRules,
    IdToken,
    S256Challenge,
)
from auth_server.authorization_server import AuthorizationServer
from auth_server.books import checkpoint_keys, keeping
from auth_server.client_credentials import ClientCredentialsGrant
from auth_server.client_keys import ClientKeys
from auth_server.clients import registered_clients
from auth_server.context import Context
from auth_server.csrf import CsrfProtection
from auth_server.demo_agent import seed_agent
from auth_server.demo_customers import seed_customers
from auth_server.demo_staff import seed_staff
from auth_server.exchange_door import ExchangeDoor
from auth_server.exchanges import Exchanges
from auth_server.expiry import remove_expired_regularly
from auth_server.failures import register_failures
from auth_server.introspection import IntrospectionEndpoint
from auth_server.passwords import Passwords
from auth_server.private_key_jwt import PrivateKeyJwt
from auth_server.refresh_token import RefreshTokenGrant
from auth_server.revocation import RevocationEndpoint
from auth_server.settings import Settings
from auth_server.signing_keys import SigningKeys
from auth_server.tables import create_tables
from auth_server.token_exchange import TokenExchangeGrant
from auth_server.tokens import TokenIssuer
from delegation.clock import Clock, utc_now
from delegation.database import open_database
from delegation.health import Check, NotReady, health_routes
from delegation.in_thread import in_thread
from delegation.record_keeping import keeping_records
from delegation.trace import TraceMiddleware

_HERE = Path(__file__).parent


def create_app(settings: Settings | None = None, clock: Clock = utc_now) -> FastAPI:
    """Return the application; settings come from the environment unless given."""
    is_own_process = settings is None
    settings = settings or Settings()
    http = httpx2.AsyncClient()
    context = _context(settings, clock, http)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if is_own_process:
            # What is loaded now stays: the collector need not look through it while requests wait.
            gc.collect()
            gc.freeze()
        expiry = asyncio.create_task(remove_expired_regularly(context))
        async with keeping_records(keeping(context)):
            yield
        expiry.cancel()
        with suppress(asyncio.CancelledError):
            await expiry
        await context.exchanges.finish()
        await http.aclose()
        context.engine.dispose()

    app = FastAPI(title="Authorization server", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.context = context
    routes: list[BaseRoute] = []
    for module in (
        *(authorize, sign_on, consent, end_session, endpoints, own_interfaces),
        *(administration, administration_grants, administration_customers),
        *(event_delivery, checkpoints, audit_trail),
    ):
        app.include_router(module.router)
        routes += module.router.routes
    app.include_router(endpoints.token_router)
    routes += endpoints.token_router.routes
    app.router.routes.extend(health_routes({"database": _database_check(context.engine)}))
    app.mount("/static", StaticFiles(directory=_HERE / "static"))
    app.add_middleware(ExchangeDoor, context=context)
    app.add_middleware(TraceMiddleware)
    register_failures(app, context, [*routes, *app.routes])
    return app


def _context(settings: Settings, clock: Clock, http: httpx2.AsyncClient) -> Context:
    engine = open_database(settings.database_url, settings.data_dir / "auth_server.db")
    passwords = Passwords()
    with transaction(engine) as db:
        create_tables(db)
        seed_customers(db, settings.demo_password, passwords)
        seed_staff(db, settings.demo_password, passwords)
        seed_agent(db, settings, clock())
    keys = SigningKeys(settings.data_dir / "keys", clock)
    server = _server(settings, engine, keys, clock, http)
    return Context(
        settings=settings,
        engine=engine,
        server=server,
        exchanges=Exchanges(server, engine, clock),
        passwords=passwords,
        csrf=CsrfProtection(settings.data_dir / "csrf.key", secure=settings.is_https),
        templates=Jinja2Templates(directory=_HERE / "templates"),
        clock=clock,
        checkpoint_keys=checkpoint_keys(settings, keys),
    )


def _server(
    settings: Settings, engine: Engine, keys: SigningKeys, clock: Clock, http: httpx2.AsyncClient
) -> AuthorizationServer:
    tokens = TokenIssuer(settings.issuer, keys)
    authentication = PrivateKeyJwt(settings.issuer, ClientKeys(http, clock))
    server = AuthorizationServer(settings, registered_clients(settings), tokens, authentication, engine)
    server.register_grant(TokenExchangeGrant)  # first, for most requests are for it
    server.register_grant(
        AuthorizationCodeGrant, [S256Challenge(), AuthorizationRequestRules(), IdToken(server)]
    )
    server.register_grant(RefreshTokenGrant)
    server.register_grant(ClientCredentialsGrant)
    server.register_endpoint(IntrospectionEndpoint)
    server.register_endpoint(RevocationEndpoint)
    server.register_endpoint(end_session.EndSessionEndpoint)
    return server


def _database_check(engine: Engine) -> Check:
    def select_one() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    async def check() -> None:
        try:
            await in_thread(select_one)
        except SQLAlchemyError as error:
            raise NotReady("the database does not answer; check DATABASE_URL and DATA_DIR") from error

    return check
