"""Wiring: `uvicorn gateway.app:create_app --factory`; `create_decision_service` for Envoy."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing, asynccontextmanager, nullcontext
from functools import lru_cache, partial
from typing import Final

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
from gateway.ext_authz import PREFIX, ExtAuthz, NothingBehind
from gateway.limits_in_redis import LimitsInRedis
from gateway.mcp_door import McpDoor
from gateway.mcp_listing import PATH as MCP
from gateway.policy import OWN_PATHS, Policy
from gateway.policy_file import PolicyFile, UnsoundPolicy
from gateway.problems import no_policy
from gateway.published import published_routes
from gateway.rate import Limits
from gateway.readiness import checks, warnings
from gateway.record_store import RecordStore
from gateway.relay import Relay
from gateway.settings import DATABASE_FILE, POLICIES, TOOLS, Settings
from gateway.tool_registry import ToolRegistry
from gateway.tool_store import ToolStore
from gateway.upstream import Upstream

_OWN_PATHS: Final = frozenset([*map(str.encode, OWN_PATHS), None])
"""As they stand in requests; what has none is the server's start and end."""
_MCP: Final = MCP.encode()
_YOUNG_OBJECTS: Final = 5000
"""So many more objects than before make Python look for cycles among the young; its own bound is 700."""


def create_app(settings: Settings | None = None, clock: Clock = utc_now) -> ASGIApp:
    """Return the gateway: its own few paths on Starlette, every other call straight to the door."""
    settings = settings or Settings()
    upstream = Upstream(
        settings.upstream_url,
        max_connections=settings.upstream_max_connections,
        connect_timeout_seconds=settings.upstream_connect_timeout_seconds,
        read_timeout_seconds=settings.upstream_read_timeout_seconds,
    )
    return _wired(settings, clock, upstream)


def create_decision_service(settings: Settings | None = None, clock: Clock = utc_now) -> ASGIApp:
    """Return what decides for Envoy (`gateway.ext_authz`): the same, but it passes nothing on."""
    return _wired(settings or Settings(), clock, None)


def _wired(settings: Settings, clock: Clock, upstream: Upstream | None) -> ASGIApp:
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

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        kept = books(settings, store.transaction, key, http, clock)
        keeper = keeping_records(keeping(settings, kept, clock))
        watching = asyncio.create_task(policy.watch(settings.policy_look_seconds))
        counting = aclosing(redis) if redis else nullcontext()
        async with http, behind, decisions, receiving(receiver), keeper, counting:
            # What was made until now stays: to look through all of it for garbage would hold calls up. A call
            # leaves no cycles behind, so garbage is looked for less often.
            gc.freeze()
            gc.set_threshold(_YOUNG_OBJECTS)
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
    redis_url = settings.redis_url.get_secret_value()
    redis = LimitsInRedis(redis_url, settings.redis_key_prefix) if redis_url else None
    limits = redis or Limits(settings.max_limited_keys)
    behind = upstream or NothingBehind()
    tools = ToolRegistry(ToolStore(settings.data_dir / TOOLS), settings.tools_refresh_seconds)
    evaluation = AccessEvaluation(settings, policy, verifier, limits, decisions, clock)
    own = Starlette(
        routes=[
            Route(AUDIT, auditing.answer),
            Route(EVALUATION, evaluation.answer, methods=["POST"]),
            *health_routes(
                checks(policy, keys, upstream, receiver, decisions, redis), warnings(policy, tools)
            ),
            *published_routes(policy, settings, key),
        ],
        exception_handlers={UnsoundPolicy: no_policy},
        lifespan=lifespan,
    )
    relay = Relay(behind, settings.held_body_seconds)
    door = Door(settings, policy, verifier, relay, clock, decisions, limits)
    if upstream is None:
        return TraceMiddleware(partial(_to_ext_authz, own, ExtAuthz(door)))
    mcp_door = McpDoor(settings, policy, verifier, upstream, relay, clock, decisions, limits, tools)
    return TraceMiddleware(partial(_to_door, own, door, mcp_door))


def _to_door(
    own: ASGIApp, door: ASGIApp, mcp_door: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> Awaitable[None]:
    # By the raw path: a path that only decodes to one of ours is the policy's to judge.
    path = scope.get("raw_path")
    if path not in _OWN_PATHS:
        return door(scope, receive, send)
    return (mcp_door if path == _MCP and scope["type"] == "http" else own)(scope, receive, send)


async def _to_ext_authz(own: ASGIApp, ext_authz: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    # What Envoy asks about has a prefix: its caller's /healthz is no question for ours.
    is_question = scope["type"] != "lifespan" and scope["raw_path"].startswith(PREFIX)
    await (ext_authz if is_question else own)(scope, receive, send)
