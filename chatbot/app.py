"""Wiring: settings, key, verifier, model and routes become the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chatbot.agent import Agent
from chatbot.call_refusals import CallRefusals
from chatbot.chat import Chatbot, router
from chatbot.conversation import Conversations
from chatbot.delegation_tokens import DelegationTokens
from chatbot.gateway_answer import AccountApiClient
from chatbot.gateway_client import GatewayClient
from chatbot.mcp_client import McpClient
from chatbot.model import Model, model_client
from chatbot.readiness import readiness_checks
from chatbot.settings import Settings
from chatbot.subject_token import Reception
from chatbot.tool_runner import ToolRunner
from delegation.bearer import BearerError
from delegation.clock import Clock, utc_now
from delegation.health import health_routes
from delegation.jwks import RemoteKeySet
from delegation.problem import Problem, answer_problem
from delegation.signing_key import SigningKey, jwk_set
from delegation.token_exchange import TokenExchangeClient
from delegation.trace import TraceMiddleware
from delegation.verification import TokenVerifier


def create_app(settings: Settings | None = None, clock: Clock = utc_now) -> FastAPI:
    """Return the chatbot; `uvicorn chatbot.app:create_app --factory` serves it.

    Raises:
        OSError: DATA_DIR cannot be written.
    """
    settings = settings or Settings()
    key = SigningKey.load_or_create(settings.data_dir / "signing_key.pem")
    http = httpx2.AsyncClient()
    keys = RemoteKeySet(settings.jwks_uri, http, clock)
    model = model_client(settings)
    exchange = TokenExchangeClient(
        settings.token_endpoint, settings.issuer, settings.client_id, key, http, clock
    )
    tokens = DelegationTokens(exchange, settings.account_api_audience, settings.client_id, clock)
    conversations = Conversations(clock)
    bot = Chatbot(
        reception=Reception(
            TokenVerifier(settings.issuer, settings.client_id, keys, clock=clock), settings.client_id, clock
        ),
        agent=Agent(
            Model(model, settings.openai_model, settings.model_timeout_seconds),
            ToolRunner(tokens, _account_api_client(settings, http), CallRefusals(settings.client_id, clock)),
            conversations,
            clock,
            settings.question_timeout_seconds,
        ),
        conversations=conversations,
        tokens=tokens,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with http, model:
            yield
            await bot.finish()

    app = FastAPI(
        title="Chatbot",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            Problem: answer_problem,
            BearerError: _answer_bearer_error,
            HTTPException: _answer_http_exception,
            Exception: _answer_fault,
        },
    )
    app.state.chatbot = bot
    app.include_router(router)

    async def jwks(_request: Request) -> JSONResponse:
        return JSONResponse(jwk_set(key))

    app.router.routes += [Route("/jwks.json", jwks), *health_routes(readiness_checks(settings, keys, http))]
    app.add_middleware(TraceMiddleware)
    return app


def _account_api_client(settings: Settings, http: httpx2.AsyncClient) -> AccountApiClient:
    if settings.tools == "mcp":
        return McpClient(settings.mcp_url, http, settings.gateway_timeout_seconds)
    return GatewayClient(settings.gateway_url, http, settings.gateway_timeout_seconds)


async def _answer_bearer_error(_request: Request, error: Exception) -> Response:
    """Answer as RFC 6750 §3 has it."""
    if not isinstance(error, BearerError):
        raise error
    headers = {"WWW-Authenticate": error.challenge(resource_metadata="").strip()}
    return Problem(error.status, error.description, headers=headers).response()


async def _answer_http_exception(_request: Request, error: Exception) -> Response:
    """Answer what the framework refuses: 404 and 405."""
    if not isinstance(error, HTTPException):
        raise error
    return Problem(error.status_code, f"{error.detail}. See /openapi.json.", headers=error.headers).response()


async def _answer_fault(_request: Request, _error: Exception) -> Response:
    """Answer a fault of this service's own; its log has the rest."""
    return Problem(500, "The service made a mistake. Its log tells more.").response()
