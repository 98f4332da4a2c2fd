"""The authorization server of this repository: full rules, durable records, replay check, revocation."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from sqlalchemy import Engine, insert, select

from auth_server.tables import Customer, DelegationGrant, IssuedToken
from benchmarks.exchange_contender import SCOPES, AuthorizationServer, ExchangePlace, Exchanges
from benchmarks.gateway_contender import Running
from benchmarks.service import running_service
from delegation.database import open_database
from tests.free_ports import free_ports
from tests.issuer import AGENT

_GRANT_DAYS: Final = 30


@contextmanager
def serving(place: ExchangePlace, settings: Mapping[str, str], port: int) -> Iterator[Running]:
    """Run it with the exchanges' key, customers and tokens; `settings` are added to those that it needs."""
    exchanges = place.exchanges
    keys = place.folder / "keys"
    keys.mkdir()
    exchanges.issuer.key.save(keys / f"{0:020d}.pem")
    own = {
        "ISSUER": exchanges.issuer.issuer,
        "AGENT_JWKS_URI": exchanges.agent_jwks_uri,
        "DATABASE_URL": place.database_url,
    }
    with running_service("auth_server", place.folder, port, place.cores, {**settings, **own}) as pid:
        engine = open_database(place.database_url, place.folder / "auth_server.db")
        try:
            _fill(engine, exchanges)
        finally:
            engine.dispose()
        yield Running(port, pid)


def _fill(engine: Engine, exchanges: Exchanges) -> None:
    """Let the customers be known, have allowed the agent to act, and have signed on."""
    now = datetime.now(UTC)
    grants = [
        {
            "grant_id": secrets.token_urlsafe(16),
            "sub": sub,
            "agent": AGENT,
            "scope": SCOPES,
            "created_at": now,
            "expires_at": now + timedelta(days=_GRANT_DAYS),
        }
        for sub in exchanges.customers
    ]
    tokens = {row["jti"]: row for row in map(_issued, exchanges.tokens())}
    with engine.begin() as connection:
        known = set(connection.scalars(select(Customer.sub)))
        customers = [
            {"sub": sub, "name": sub, "password_hash": "none"}
            for sub in exchanges.customers
            if sub not in known
        ]
        if customers:
            connection.execute(insert(Customer), customers)
        connection.execute(insert(DelegationGrant), grants)
        connection.execute(insert(IssuedToken), list(tokens.values()))
        if engine.dialect.name == "postgresql":  # as its autovacuum does within a minute after such a load
            connection.exec_driver_sql("ANALYZE")


def _issued(token: str) -> dict[str, Any]:
    claims = jwt.decode(token, options={"verify_signature": False})
    times = {f"{name}_at": datetime.fromtimestamp(claims[claim], UTC) for name, claim in _TIMES.items()}
    return {name: claims[name] for name in ("jti", "sub", "client_id")} | times


_TIMES: Final = {"issued": "iat", "expires": "exp"}


@contextmanager
def _start(place: ExchangePlace) -> Iterator[Running]:
    [port] = free_ports(1)
    with serving(place, {}, port) as running:
        yield running


ON_SQLITE = AuthorizationServer("this auth server, SQLite", _start)
ON_POSTGRESQL = AuthorizationServer("this auth server, PostgreSQL", _start)
