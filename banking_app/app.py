"""Wiring: settings become clients and stores, these become routes and the Streamlit app."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from banking_app.account_client import AccountClient
from banking_app.administration_client import AdministrationClient
from banking_app.asking import Assistant
from banking_app.audit import Audit
from banking_app.audit_source import AuditSource
from banking_app.audit_trail import AuditTrail
from banking_app.chat_client import ChatClient
from banking_app.conversations import Conversations
from banking_app.cookies import Cookies
from banking_app.database import open_database
from banking_app.encryption import Vault
from banking_app.grants_client import GrantsClient
from banking_app.notices import Notices
from banking_app.openid_client import OpenIdClient
from banking_app.readiness import Checks, announce_when_ready, readiness_checks
from banking_app.records_client import RecordsClient
from banking_app.same_origin import SameOriginMiddleware
from banking_app.screens.notice import show_unexpected
from banking_app.security_headers import SecurityHeadersMiddleware
from banking_app.services import Services, install
from banking_app.session_store import SessionStore
from banking_app.settings import Settings
from banking_app.sign_on import SignOn
from banking_app.sign_on_attempts import SignOnAttempts
from banking_app.sign_out import SignOut
from banking_app.tokens import SessionLocks, SessionTokens
from delegation.clock import Clock, utc_now
from delegation.health import health_routes
from delegation.signing_key import SigningKey, jwk_set
from delegation.trace import TraceMiddleware

_SCRIPT: Final = Path(__file__).parent / "main.py"


@dataclass(frozen=True)
class BackendForFrontend:
    """What the browser reaches beside the Streamlit pages, and what those pages work with."""

    services: Services
    routes: list[Route]
    middleware: list[Middleware]
    checks: Checks
    resources: ExitStack

    def close(self) -> None:
        """Close the database and the connections to other services."""
        self.resources.close()


def create_app(settings: Settings | None = None) -> st.App:
    """Return the ASGI application: the Streamlit pages with the backend-for-frontend around them."""
    settings = settings or Settings()
    # Streamlit gives uvicorn's loggers new handlers, which undoes --no-access-log; these lines would hold
    # authorization codes.
    logging.getLogger("uvicorn.access").disabled = True
    backend = backend_for_frontend(settings)
    install(backend.services)

    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
        announcing = asyncio.create_task(announce_when_ready(backend.checks, settings.public_url))
        yield {}
        announcing.cancel()
        with suppress(asyncio.CancelledError):
            await announcing
        backend.close()

    return st.App(
        _SCRIPT,
        routes=backend.routes,
        middleware=backend.middleware,
        lifespan=lifespan,
        on_script_error=show_unexpected,
    )


def backend_for_frontend(settings: Settings, clock: Clock = utc_now) -> BackendForFrontend:
    """Wire everything that is not Streamlit's."""
    resources = ExitStack()
    engine = open_database(settings.data_dir)
    resources.callback(engine.dispose)
    vault = Vault.load_or_create(settings.data_dir / "encryption.key")
    key = SigningKey.load_or_create(settings.data_dir / "client.key.pem")
    tls = httpx2.create_ssl_context()
    http = resources.enter_context(httpx2.Client(verify=tls))
    cookies, notices, audit, locks = Cookies(settings), Notices(settings), Audit(settings), SessionLocks()
    client = OpenIdClient(settings, key, tls, clock)
    sessions = SessionStore(engine, vault, settings.session_idle_seconds, settings.session_max_seconds, clock)
    conversations = Conversations(engine, vault, settings.session_max_seconds, clock)
    tokens = SessionTokens(settings, sessions, client, locks, clock)
    chat = ChatClient(settings.chatbot_url, http)
    sign_out = SignOut(
        settings.agent_id, client, chat, sessions, conversations, locks, cookies, notices, audit
    )
    attempts = SignOnAttempts(engine, vault, clock)
    sign_on = SignOn(settings, client, attempts, sessions, cookies, notices, audit, sign_out, clock)
    grants = GrantsClient(settings.grant_management_endpoint, http)
    assistant = Assistant(
        tokens,
        chat,
        grants,
        settings.agent_id,
        RecordsClient("authorization server", settings.auth_records_endpoint, http),
        RecordsClient("account API", f"{settings.account_api_url}/records", http),
        conversations,
        audit,
        clock,
    )
    services = Services(
        settings,
        clock,
        cookies,
        sessions,
        tokens,
        conversations,
        AccountClient(settings.account_api_url, http),
        grants,
        assistant,
        AdministrationClient(settings.administration_endpoint, http),
        _audit_trail(settings, tokens, http),
    )
    checks = readiness_checks(settings, engine, tls)
    own_routes = [*sign_on.routes(), *sign_out.routes(), _jwks_route(key), *health_routes(checks)]
    no_store = frozenset(route.path for route in own_routes)
    middleware = [
        Middleware(TraceMiddleware),
        Middleware(SecurityHeadersMiddleware, no_store=no_store),
        Middleware(SameOriginMiddleware, public_url=settings.public_url),
    ]
    return BackendForFrontend(services, own_routes, middleware, checks, resources)


def _audit_trail(settings: Settings, tokens: SessionTokens, http: httpx2.Client) -> AuditTrail:
    of_issuer, of_resource = tokens.issuer_token, tokens.app_token
    return AuditTrail(
        {
            "auth_server": AuditSource("authorization server", settings.auth_audit_endpoint, http, of_issuer),
            "gateway": AuditSource("agent gateway", settings.gateway_audit_endpoint, http, of_resource),
            "account_api": AuditSource("account API", settings.account_audit_endpoint, http, of_resource),
        }
    )


def _jwks_route(key: SigningKey) -> Route:
    def jwks(_request: Request) -> JSONResponse:
        return JSONResponse(jwk_set(key))

    return Route("/jwks.json", jwks)
