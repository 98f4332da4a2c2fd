"""Which token opens a stream of security events: with one thing wrong about it and all else right, none.

Each is signed with the server's own key and known to it, unless that is what is wrong.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import httpx2
import pytest
from sqlalchemy import update

from auth_server.scopes import CHECKPOINTS, SECURITY_EVENTS
from auth_server.tables import IssuedToken
from auth_server.tokens import TokenContent
from delegation.signing_key import SigningKey
from delegation.token import Actor
from tests.auth_server.servers import ACCOUNT_API, AGENT, ISSUER, AuthServer, claims

WRONG: Final[dict[str, dict[str, Any]]] = {
    "audience": {"audience": ACCOUNT_API},
    "subject": {"sub": "customer@example.com"},
    "somebody acts": {"act": Actor(AGENT)},
    "an app's own": {"sub": "banking-app", "client_id": "banking-app"},
    "an agent's own": {"sub": AGENT, "client_id": AGENT},
    "nobody's": {"sub": "nobody", "client_id": "nobody"},
}
SIGNED: Final[dict[str, Callable[[SigningKey, dict[str, Any]], str]]] = {
    "issuer": lambda key, said: key.sign(said | {"iss": "https://other.example.com"}, typ="at+jwt"),
    "type": lambda key, said: key.sign(said, typ="JWT"),
    "key": lambda _key, said: SigningKey.generate().sign(said, typ="at+jwt"),
    "unknown": lambda key, said: key.sign(said | {"jti": "never-issued"}, typ="at+jwt"),
    "no end": lambda key, said: key.sign({n: v for n, v in said.items() if n != "exp"}, typ="at+jwt"),
}


def issued(server: AuthServer, **changes: Any) -> str:
    """Return a token that the server issued to the gateway, but for the changes."""
    now = server.clock()
    good = TokenContent(
        sub="gateway",
        client_id="gateway",
        audience=ISSUER,
        scope=SECURITY_EVENTS,
        expires_at=now + timedelta(minutes=5),
    )
    with server.context.transaction() as db:
        return server.context.server.tokens.issue(db, replace(good, **changes), now)[0]


def poll(server: AuthServer, token: str) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"}
    return server.http.post(
        "/events/a-stream-of-this-test", json={"returnImmediately": True}, headers=headers
    )


def test_a_receivers_own_token_opens_its_stream(sqlite_server: AuthServer) -> None:
    assert poll(sqlite_server, issued(sqlite_server)).status_code == 200


@pytest.mark.parametrize("wrong", WRONG)
def test_one_thing_wrong_in_it_is_enough(wrong: str, sqlite_server: AuthServer) -> None:
    answer = poll(sqlite_server, issued(sqlite_server, **WRONG[wrong]))
    assert (answer.status_code, "invalid_token" in answer.headers["www-authenticate"]) == (401, True)


@pytest.mark.parametrize("wrong", SIGNED)
def test_one_thing_wrong_with_how_it_is_signed_is_enough(wrong: str, sqlite_server: AuthServer) -> None:
    server = sqlite_server
    said, key = claims(issued(server)), server.context.server.tokens.keys.current()
    assert poll(server, key.sign(said, typ="at+jwt")).status_code == 200
    assert poll(server, SIGNED[wrong](key, said)).status_code == 401


def test_without_the_scope_for_events_it_opens_none(sqlite_server: AuthServer) -> None:
    answer = poll(sqlite_server, issued(sqlite_server, scope=CHECKPOINTS))
    assert (answer.status_code, "insufficient_scope" in answer.headers["www-authenticate"]) == (403, True)


def test_when_it_has_expired_it_opens_none(own_server: AuthServer) -> None:
    token = issued(own_server)
    own_server.clock.forward(minutes=5)
    assert poll(own_server, token).status_code == 401


def test_when_it_was_revoked_it_opens_none(sqlite_server: AuthServer) -> None:
    server, token = sqlite_server, issued(sqlite_server)
    with server.context.transaction() as db:
        of_this = IssuedToken.jti == claims(token)["jti"]
        db.execute(update(IssuedToken).where(of_this).values(revoked_at=server.clock()))
    assert poll(server, token).status_code == 401
