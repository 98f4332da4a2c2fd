"""Wiring: `uvicorn gateway.app:create_app --factory`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache, partial

import httpx2
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from delegation.clock import Clock, utc_now
from delegation.database import open_database
from delegation.event_receiver import event_receiver, receiving
from delegation.health import health_routes
from delegation.jwks import RemoteKeySet
from delegation.record_keeping import keeping_records
from delegation.signing_key import SigningKey
from delegation.trace import TraceMiddleware
from delegation.verification import TokenVerifier
from gateway.audit import PATH as AUDIT
from gateway.audit import Auditing
from gateway.authzen import PATH as EVALUATION
from gateway.authzen import AccessEvaluation
from gateway.books import books, keeping
from gateway.decision_log import DecisionLog
from gateway.door import Door
from gateway.mcp_door import McpDoor
from gateway.mcp_listing import PATH as MCP
from gateway.policy import OWN_PATHS, Policy
from gateway.policy_file import PolicyFile, UnsoundPolicy
from gateway.problems import no_policy
from gateway.published import published_routes
from gateway.rate import Limits
from gateway.readiness import checks, warnings
from gateway.record_store import RecordStore
from gateway.settings import DATABASE_FILE, POLICIES, TOOLS, Settings
from gateway.tool_registry import ToolRegistry
from gateway.tool_store import ToolStore
from gateway.upstream import Upstream


def create_app(settings: Settings | None = None, clock: Clock = utc_now) -> ASGIApp:
    """Return the gateway: its own few paths on Starlette, every other call straight to the door."""
    settings = settings or Settings()
    policy = PolicyFile(settings.policy_file, settings.data_dir / POLICIES)
    http = httpx2.AsyncClient()
    keys = RemoteKeySet(settings.jwks_uri, http, clock)
    key = SigningKey.load_or_create(settings.data_dir / "signing_key.pem")
    receiver = event_receiver(settings, key, keys, http, clock)
    database = open_database(settings.database_url.get_secret_value(), settings.data_dir / DATABASE_FILE)
    store = RecordStore(database)
    decisions = DecisionLog(
        store,
        bound_seconds=settings.record_bound_seconds,
        wait_seconds=settings.record_wait_seconds,
        capacity=settings.record_queue,
    )
    upstream = Upstream(
        settings.upstream_url,
        max_connections=settings.upstream_max_connections,
        connect_timeout_seconds=settings.upstream_connect_timeout_seconds,
        read_timeout_seconds=settings.upstream_read_timeout_seconds,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        kept = books(settings, store.transaction, key, http, clock)
        keeper = keeping_records(keeping(settings, kept, clock))
        watching = asyncio.create_task(policy.watch(settings.policy_look_seconds))
        async with http, upstream, decisions, receiving(receiver), keeper:
            yield
            watching.cancel()

    revocations = receiver.revocations if receiver else None

    # One for each audience, and not for each policy: what it has verified stays verified.
    @lru_cache(maxsize=4)
    def verifier_for(audience: str) -> TokenVerifier:
        return TokenVerifier(
            settings.issuer,
            audience,
            keys,
            clock=clock,
            revocations=revocations,
            verified_tokens=settings.verified_tokens,
        )

    def verifier(policy: Policy) -> TokenVerifier:
        return verifier_for(policy.audience)

    auditing = Auditing(
        lambda: verifier(policy.current()), store, decisions, clock, settings.resource_metadata_url
    )
    limits = Limits(settings.max_limited_keys)
    tools = ToolRegistry(ToolStore(settings.data_dir / TOOLS), settings.tools_refresh_seconds)
    evaluation = AccessEvaluation(settings, policy, verifier, limits, decisions, clock)
    own = Starlette(
        routes=[
            Route(AUDIT, auditing.answer),
            Route(EVALUATION, evaluation.answer, methods=["POST"]),
            *health_routes(checks(policy, keys, upstream, receiver, decisions), warnings(policy, tools)),
            *published_routes(policy, settings, key),
        ],
        exception_handlers={UnsoundPolicy: no_policy},
        lifespan=lifespan,
    )
    door = Door(settings, policy, verifier, upstream, clock, decisions, limits)
    mcp_door = McpDoor(settings, policy, verifier, upstream, clock, decisions, limits, tools)
    return TraceMiddleware(partial(_dispatch, own, door, mcp_door))


async def _dispatch(
    own: ASGIApp, door: ASGIApp, mcp_door: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    # By the raw path: a path that only decodes to one of ours is the policy's to judge.
    path = scope["raw_path"].decode("latin-1") if scope["type"] != "lifespan" else ""
    is_own = scope["type"] == "lifespan" or path in OWN_PATHS
    chosen = mcp_door if path == MCP and scope["type"] == "http" else own if is_own else door
    await chosen(scope, receive, send)
