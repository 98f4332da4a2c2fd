"""Our own stack in this very process: real services, real HTTP on the loopback, ready in a second or two.

What stands here and not in a running stack: a second agent, a gateway that cannot reach its issuer's keys, a
look at what reaches the account API, at how often keys are asked for, and places where a twin can put a flaw.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import account_api.app
import account_api.settings
import auth_server.app
import auth_server.settings
import gateway.app
import gateway.settings
from auth_server.agent_details import details
from auth_server.agent_history import By
from auth_server.agent_registry import Transition, change_state, register
from auth_server.context import Context
from auth_server.registered_agents import find_agent
from auth_server.scopes import DESCRIPTIONS
from auth_server.tables import Customer, IssuedToken
from delegation.clock import utc_now
from tests.e2e.jws import KeyPair
from tests.e2e.key_server import KeyServer
from tests.e2e.observer import headers_of
from tests.e2e.target import Target, live_target
from tests.e2e.target_reading import read_target_file
from tests.free_ports import free_ports
from tests.serving import serve

TARGET_FILE: Final = Path(__file__).with_name("targets") / "delegation-bank.toml"
AGENT: Final = "https://bank-agent.example.com"
OTHER_AGENT: Final = "https://card-agent.example.com"
_PASSWORD: Final = "correct horse battery staple"
_NOBODY_LISTENS: Final = "http://127.0.0.1:9/jwks"

_IN_MEMORY: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the databases stand: what is tried here ends with the process, so nothing need wait for a disk."""

Wrap = Callable[[ASGIApp], ASGIApp]


class Layered:
    """An application that another can be laid around, while it is served."""

    def __init__(self, app: ASGIApp) -> None:
        self.innermost = app
        self._outermost = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the connection to the outermost layer."""
        await self._outermost(scope, receive, send)

    @contextmanager
    def inside(self, wrap: Wrap) -> Iterator[None]:
        """Lay a layer around the application, for a while."""
        self._outermost = wrap(self.innermost)
        try:
            yield
        finally:
            self._outermost = self.innermost


class SeenBackend:
    """Remembers which headers reached the account API last."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._last: list[tuple[str, str]] = []

    def take_headers(self) -> list[tuple[str, str]]:
        """Return the headers of the last request that arrived, names in lower case, and forget them."""
        taken, self._last = self._last, []
        return taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the headers and pass the request on."""
        if scope["type"] == "http":
            self._last = headers_of(scope)
        await self._app(scope, receive, send)


class SeenKeys(KeyServer):
    """Counts the requests for the keys of an authorization server."""

    def __init__(self, app: ASGIApp, public_jwk: dict[str, Any]) -> None:
        super().__init__(public_jwk)
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request if it is one, and pass it on."""
        self.fetches += scope["type"] == "http" and scope["path"] == "/jwks"
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class InProcess:
    """The stack: its applications, where they are, and what a twin may need of them."""

    auth_server: Layered
    gateway: Layered
    account_api: Layered
    context: Context
    keys: dict[str, KeyPair]
    """The private keys of the clients `agent`, `app` and `other_agent`."""
    backend: SeenBackend
    issuer_keys: SeenKeys
    environment: dict[str, str] = field(repr=False)
    data: Path
    """Where each service has its data, in a folder of its name."""

    def sign(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """Sign as the authorization server does, and know the token as issued."""
        current = self.context.server.tokens.keys.current()
        token = KeyPair(current.private_key).sign(header, claims)
        jti, sub = claims.get("jti"), claims.get("sub")
        if isinstance(jti, str) and isinstance(sub, str):
            row = IssuedToken(jti=jti, sub=sub, client_id=AGENT, expires_at=utc_now().replace(year=2100))
            with self.context.transaction() as db:
                db.add(row)
        return token

    def is_client(self, client_id: str) -> bool:
        """Tell whether the authorization server knows a client."""
        with self.context.transaction() as db:
            return client_id in self.context.server.clients or find_agent(db, client_id) is not None

    def switch_agent(self, transition: Transition) -> None:
        """Suspend or resume the agent, as staff would at the command line."""
        with self.context.transaction() as db:
            change_state(db, AGENT, transition, _by("the suite tries it"))

    @contextmanager
    def target(self, *, mcp: bool = True) -> Iterator[Target]:
        """Give the stack as a target, described by the same file as the running one.

        Without `mcp`, its MCP endpoint is left alone: what stands in the gateway's place may have none.
        """
        file = read_target_file(TARGET_FILE, self.environment)
        if file.resource and not mcp:
            file = file.model_copy(update={"resource": file.resource.model_copy(update={"mcp": None})})
        agent = file.clients["agent"]
        other = agent.model_copy(update={"client_id": OTHER_AGENT, "key_env": "OTHER_AGENT_KEY"})
        file = file.model_copy(update={"clients": file.clients | {"other_agent": other}})
        in_this_process = (self.backend, self.sign, self.issuer_keys, self.switch_agent)
        with live_target(file, self.environment, *in_this_process) as target:
            yield target


ServeGateway = Callable[[gateway.settings.Settings, int], AbstractContextManager[Layered]]
"""How the gateway is served at a port; gives the application that decides."""


@contextmanager
def served_by_itself(settings: gateway.settings.Settings, port: int) -> Iterator[Layered]:
    """Serve the gateway as it is."""
    door = Layered(gateway.app.create_app(settings))
    with serve(door, port):
        yield door


@contextmanager
def in_process(serve_gateway: ServeGateway = served_by_itself) -> Iterator[InProcess]:
    """Start the stack, its data in a temporary folder, and end it afterwards."""
    with ExitStack() as ending:
        data = Path(
            ending.enter_context(tempfile.TemporaryDirectory(prefix="delegation-bank-", dir=_IN_MEMORY))
        )
        keys = {name: KeyPair() for name in ("agent", "app", "other_agent")}
        jwks = ending.enter_context(serve(_jwks_of(keys)))
        port, gateway_port, keyless_port = free_ports(3)
        issuer = f"http://127.0.0.1:{port}"
        server, context = _auth_server(data, issuer, jwks, f"http://127.0.0.1:{gateway_port}/jwks.json")
        issuer_keys = SeenKeys(server, context.server.tokens.keys.current().public_jwk)
        ending.enter_context(serve(issuer_keys, port))
        api = Layered(_account_api(data, issuer))
        backend = SeenBackend(api)
        api_url = ending.enter_context(serve(backend))
        gateway_url = f"http://127.0.0.1:{gateway_port}"
        # Past every layer: a flaw of the authorization server's must not keep the news from the gateway.
        news = ending.enter_context(serve(server.innermost))
        settings = _gateway_settings(data, issuer, f"{issuer}/jwks", api_url, gateway_url, news)
        door = ending.enter_context(serve_gateway(settings, gateway_port))
        _until_ready(gateway_url)
        keyless = _gateway_settings(data, issuer, _NOBODY_LISTENS, api_url, gateway_url)
        ending.enter_context(serve_gateway(keyless, keyless_port))
        environment = {
            "AUTH_SERVER_URL": issuer,
            "GATEWAY_URL": gateway_url,
            "ACCOUNT_API_URL": api_url,
            "KEYLESS_GATEWAY_URL": f"http://127.0.0.1:{keyless_port}",
            "CUSTOMER_PASSWORD": _PASSWORD,
            **{f"{name.upper()}_KEY": pem_of(key) for name, key in keys.items()},
        }
        yield InProcess(server, door, api, context, keys, backend, issuer_keys, environment, data)


def _until_ready(url: str) -> None:
    """Return when the gateway has heard what has ended: until then it refuses everything."""
    with httpx2.Client(verify=False) as http:
        for _ in range(500):
            if http.get(f"{url}/readyz").is_success:
                return
            time.sleep(0.02)
    raise TimeoutError("the gateway in this process is not ready after 10 s")


def _by(why: str) -> By:
    return By(who="the conformance suite", why=why, at=utc_now())


def _jwks_of(keys: dict[str, KeyPair]) -> Starlette:
    async def jwks(request: Request) -> JSONResponse:
        return JSONResponse({"keys": [keys[request.path_params["name"]].public_jwk]})

    return Starlette(routes=[Route("/{name}", jwks)])


def _auth_server(data: Path, issuer: str, jwks: str, gateway_jwks_uri: str) -> tuple[Layered, Context]:
    settings = auth_server.settings.Settings(
        issuer=issuer,
        data_dir=data / "auth_server",
        demo_password="",
        banking_app_jwks_uri=f"{jwks}/app",
        agent_jwks_uri=f"{jwks}/agent",
        gateway_jwks_uri=gateway_jwks_uri,
    )
    app = auth_server.app.create_app(settings)
    context: Context = app.state.context
    other = details(
        agent_id=OTHER_AGENT,
        name="Card Assistant",
        purpose="Another agent, which must not get what the first one may have",
        owner="Example Bank",
        jwks_uri=f"{jwks}/other_agent",
        scopes={settings.account_api_audience: list(DESCRIPTIONS)},
    )
    # As cheap as argon2 can be: it takes its costs from the hash, and every run signs on several times.
    password_hash = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(_PASSWORD)
    with context.transaction() as db:
        register(db, other, _by("a second agent"), taken=settings.other_parties)
        for name in ("customer", "maria", "sam"):
            db.add(Customer(sub=f"{name}@example.com", name=name.title(), password_hash=password_hash))
    return Layered(app), context


def _account_api(data: Path, issuer: str) -> ASGIApp:
    settings = account_api.settings.Settings(
        issuer=issuer, jwks_uri=f"{issuer}/jwks", data_dir=data / "account_api"
    )
    return account_api.app.create_app(settings)


def _gateway_settings(
    data: Path, issuer: str, jwks_uri: str, upstream: str, url: str, news: str = ""
) -> gateway.settings.Settings:
    return gateway.settings.Settings(
        issuer=issuer,
        jwks_uri=jwks_uri,
        token_endpoint=f"{news}/token",
        security_events_endpoint=f"{news}/events" if news else "",
        data_dir=data / "gateway",
        upstream_url=upstream,
        resource_metadata_url=f"{url}/.well-known/oauth-protected-resource",
    )


def pem_of(key: KeyPair) -> str:
    """Return a private key as a client's settings have it."""
    return key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
