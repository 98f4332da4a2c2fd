"""Security events: what is told when tokens end, to whom, and until when (RFC 8417, RFC 8936)."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from sqlalchemy import delete, insert, select, update

from auth_server import event_delivery
from auth_server.event_tables import SecurityEvent
from delegation.security_event import ACCOUNT_DISABLED, SESSION_REVOKED
from delegation.signing_key import SigningKey
from tests.auth_server.client import RegisteredClient, refusal
from tests.auth_server.registry import Registry
from tests.auth_server.servers import ACCOUNT_API, AGENT, ISSUER, AuthServer, Tokens, claims, running_server
from tests.clock import SetClock
from tests.jwks_server import JwksServer

STREAM = "a-stream-of-this-test"
MOST_AT_ONCE = 1_000


@pytest.fixture(scope="session")
def receiver_keys() -> Iterator[JwksServer]:
    with JwksServer([SigningKey.generate()]).serving() as serving:
        yield serving


@pytest.fixture
def server(
    tmp_path: Path, database_url: str, app_keys: JwksServer, agent_keys: JwksServer, receiver_keys: JwksServer
) -> Iterator[AuthServer]:
    """A server of the test's own on each database: all its events are the test's."""
    uris = {"gateway_jwks_uri": receiver_keys.jwks_uri, "account_api_jwks_uri": receiver_keys.jwks_uri}
    options: dict[str, Any] = {"database_url": database_url} | uris
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), **options) as running:
        yield running


class Receiver:
    """A receiver of one stream."""

    def __init__(self, server: AuthServer, client: RegisteredClient, stream: str = STREAM) -> None:
        self.server = server
        self.client = client
        self.stream = stream

    def token(self) -> str:
        answer = self.client.token(grant_type="client_credentials")
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def ask(self, body: dict[str, Any], token: str | None = None) -> httpx2.Response:
        return self.send({"returnImmediately": True} | body, token)

    def send(self, body: Any, token: str | None = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {token or self.token()}"}
        return self.server.http.post(f"/events/{self.stream}", json=body, headers=headers)

    def poll(self, **body: Any) -> dict[str, dict[str, Any]]:
        """Return the claims of each event that is delivered, by its jti."""
        answer = self.ask(body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        keys = jwt.PyJWKSet.from_dict(self.server.http.get("/jwks").json())
        told = {}
        for jti, encoded in answer.json()["sets"].items():
            header = jwt.get_unverified_header(encoded)
            assert header["typ"] == "secevent+jwt"
            verified = jwt.decode(encoded, keys[header["kid"]], ["ES256"], audience=self.client.client_id)
            assert (verified["iss"], verified["jti"]) == (ISSUER, jti)
            assert verified.keys() == {"iss", "jti", "iat", "toe", "aud", "sub_id", "events"}
            told[jti] = verified
        return told


@pytest.fixture
def new_receiver(server: AuthServer, receiver_keys: JwksServer) -> Any:
    def receiver(client_id: str = "gateway", stream: str = STREAM) -> Receiver:
        client = RegisteredClient(client_id, receiver_keys.keys[0], ISSUER, server.clock, server.http)
        return Receiver(server, client, stream)

    return receiver


@pytest.fixture
def receiver(new_receiver: Any) -> Receiver:
    gateway: Receiver = new_receiver()
    return gateway


def delegated(server: AuthServer) -> tuple[Tokens, str, str]:
    """Sign on a new customer and delegate; returns the sign-on, subject token and delegation token."""
    tokens = server.sign_on(server.new_customer())
    subject = tokens.token_for(AGENT)
    return tokens, subject, server.exchange(subject).json()["access_token"]


def subjects(told: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(next(iter(one["events"])), one["sub_id"]) for one in told.values()]


def of_token(token: str) -> tuple[str, dict[str, Any]]:
    return SESSION_REVOKED, {"format": "jwt_id", "iss": ISSUER, "jti": claims(token)["jti"]}


def party(name: str) -> dict[str, Any]:
    return {"format": "iss_sub", "iss": ISSUER, "sub": name}


def test_a_revoked_token_is_told_with_all_that_was_exchanged_for_it(
    server: AuthServer, receiver: Receiver
) -> None:
    _, subject, delegation = delegated(server)
    server.clock.forward(seconds=5)
    assert receiver.poll() == {}
    assert server.app.post("/revoke", {"token": subject}).status_code == 200
    told = receiver.poll()
    assert subjects(told) == [of_token(subject), of_token(delegation)]
    now = int(server.clock().timestamp())
    assert {(one["toe"], one["events"][SESSION_REVOKED]["event_timestamp"]) for one in told.values()} == {
        (now, now)
    }


def test_signing_out_is_told_token_by_token_and_leaves_the_other_sign_on(
    server: AuthServer, receiver: Receiver
) -> None:
    tokens, subject, delegation = delegated(server)
    delegated(server)
    server.clock.forward(seconds=5)
    page = server.http.get("/end-session", params={"id_token_hint": tokens.first["id_token"]})
    assert page.status_code == 200
    told = subjects(receiver.poll())
    assert sorted(map(str, told)) == sorted(
        map(str, [of_token(tokens.first["access_token"]), of_token(subject), of_token(delegation)])
    )


def test_a_withdrawn_grant_is_told_as_this_agents_work_for_this_customer(
    server: AuthServer, receiver: Receiver
) -> None:
    tokens, _, _ = delegated(server)
    own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
    [grant] = server.http.get("/grants", headers=own).json()["grants"]
    server.clock.forward(seconds=5)
    assert server.http.delete(f"/grants/{grant['grant_id']}", headers=own).status_code == 204
    sub = claims(tokens.first["access_token"])["sub"]
    both = {"format": "complex", "user": party(sub), "application": party(AGENT)}
    assert subjects(receiver.poll()) == [(SESSION_REVOKED, both)]


def test_a_suspended_agent_is_told_once_however_much_it_holds(server: AuthServer, receiver: Receiver) -> None:
    for _ in range(3):
        delegated(server)
    Registry(server)("suspend", AGENT, "--reason", "to see it")
    # Another process did it at the real time, which is later than any token's here.
    assert subjects(receiver.poll()) == [(ACCOUNT_DISABLED, party(AGENT))]


def test_tokens_of_the_events_own_second_are_told_one_by_one(server: AuthServer, receiver: Receiver) -> None:
    tokens, _, earlier = delegated(server)
    subject = tokens.token_for(AGENT)
    server.clock.forward(seconds=5)
    later = server.exchange(subject).json()["access_token"]
    own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
    [grant] = server.http.get("/grants", headers=own).json()["grants"]
    server.http.delete(f"/grants/{grant['grant_id']}", headers=own)
    told = subjects(receiver.poll())
    assert of_token(later) in told
    assert of_token(earlier) not in told
    assert len(told) == 2


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(
    server: AuthServer, receiver: Receiver
) -> None:
    delegated_tokens = delegated(server)
    server.app.post("/revoke", {"token": delegated_tokens[1]})
    first = receiver.poll()
    assert receiver.poll() == first
    taken, left = first
    assert list(receiver.poll(ack=[taken])) == [left]
    assert receiver.poll(ack=[taken, left, "never-heard-of"]) == {}
    assert receiver.poll(ack=[taken]) == {}


def test_a_new_stream_begins_with_all_that_can_still_concern_a_token(
    server: AuthServer, receiver: Receiver, new_receiver: Any
) -> None:
    server.app.post("/revoke", {"token": delegated(server)[1]})
    told = receiver.poll()
    receiver.poll(ack=list(told))
    server.clock.forward(minutes=15)
    assert new_receiver(stream="a-stream-after-a-restart").poll().keys() == told.keys()
    assert new_receiver("account-api", "the-stream-of-another-one").poll().keys() == told.keys()
    server.clock.forward(minutes=2)
    assert new_receiver(stream="a-stream-much-later-on").poll() == {}


def test_no_more_events_than_asked_for_and_said_if_there_are_more(
    server: AuthServer, receiver: Receiver
) -> None:
    server.app.post("/revoke", {"token": delegated(server)[1]})
    answer = receiver.ask({"maxEvents": 1}).json()
    assert (len(answer["sets"]), answer["moreAvailable"]) == (1, True)
    answer = receiver.ask({"maxEvents": 1, "ack": list(answer["sets"])}).json()
    assert (len(answer["sets"]), answer["moreAvailable"]) == (1, False)
    answer = receiver.ask({"maxEvents": 0}).json()
    assert (answer["sets"], answer["moreAvailable"]) == ({}, True)


def test_a_poll_that_waits_is_answered_when_something_happens(server: AuthServer, receiver: Receiver) -> None:
    subject = delegated(server)[1]
    token = receiver.token()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receiver.ask, {"returnImmediately": False}, token)
        server.app.post("/revoke", {"token": subject})
        assert len(waiting.result().json()["sets"]) == 2


def test_an_event_of_a_lower_id_is_told_at_once_although_another_goes_in_the_same_moment(
    server: AuthServer, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.app.post("/revoke", {"token": delegated(server)[1]})
    taken = receiver.poll()
    assert len(taken) == 2
    with server.context.transaction() as db:
        first, last = db.scalars(select(SecurityEvent).order_by(SecurityEvent.id))
        # A gap between them, where one that was begun earlier is committed later.
        db.execute(update(SecurityEvent).where(SecurityEvent.id == last.id).values(id=last.id + 10))
    receiver.poll(ack=list(taken))
    late, token, waiting = first.id + 5, receiver.token(), threading.Event()
    wait = event_delivery._until_another

    async def noted(*arguments: Any) -> Any:
        waiting.set()
        return await wait(*arguments)

    monkeypatch.setattr(event_delivery, "_until_another", noted)
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        polled = pool.submit(receiver.ask, {"returnImmediately": False}, token)
        assert waiting.wait(5)
        with server.context.transaction() as db:
            db.execute(delete(SecurityEvent).where(SecurityEvent.id == first.id))
            columns = {column.key: getattr(first, column.key) for column in SecurityEvent.__table__.columns}
            db.execute(insert(SecurityEvent).values(**columns | {"id": late, "jti": "late"}))
        assert list(polled.result().json()["sets"]) == ["late"]
    assert time.monotonic() - began < 2


def test_a_stream_is_its_receivers_own(receiver: Receiver, new_receiver: Any) -> None:
    receiver.poll()
    assert new_receiver("account-api").ask({}).status_code == 404


def test_only_a_receivers_own_token_opens_a_stream(server: AuthServer, receiver: Receiver) -> None:
    tokens, subject, delegation = delegated(server)
    others = {
        "subject": subject,
        "delegation": delegation,
        "app": tokens.first["access_token"],
        "issuer": tokens.token_for(ISSUER),
        "actor": server.actor_token(),
        "ID": tokens.first["id_token"],
        "none": "nonsense",
    }
    for what, token in others.items():
        answer = receiver.ask({}, token)
        assert answer.status_code in {401, 403}, what
        assert 'scope="ssf.read"' in answer.headers["www-authenticate"], what


def test_a_receivers_token_opens_nothing_else(server: AuthServer, receiver: Receiver) -> None:
    token = receiver.token()
    assert claims(token)["scope"] == "audit:checkpoint ssf.read"
    own = {"authorization": f"Bearer {token}"}
    for path in ("/userinfo", "/grants", "/records?trace_id=" + "0" * 32):
        assert server.http.get(path, headers=own).status_code == 401
    _, subject, _ = delegated(server)
    assert refusal(server.exchange(subject, actor_token=token)) == (400, "invalid_request")
    assert (
        refusal(receiver.client.token(grant_type="client_credentials", resource=ACCOUNT_API))[1]
        == "invalid_target"
    )
    assert (
        refusal(receiver.client.token(grant_type="refresh_token", refresh_token="x"))[1]
        == "unauthorized_client"
    )


MALFORMED: dict[str, Any] = {
    "a list": [],
    "text": "text",
    "fewer than none": {"maxEvents": -1},
    "a number in words": {"maxEvents": "all"},
    "one acknowledgement": {"ack": "one"},
    "a number as identifier": {"ack": [1]},
    "an endless identifier": {"ack": ["x" * 65]},
    "too many acknowledgements": {"ack": ["x"] * (MOST_AT_ONCE + 1)},
    "a list of errors": {"setErrs": []},
    "an error in words": {"setErrs": {"x": "y"}},
    "neither yes nor no": {"returnImmediately": "perhaps"},
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_poll_is_refused_in_words(receiver: Receiver, body: Any) -> None:
    answer = receiver.send(body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 10


def test_an_endless_body_is_cut_off_and_without_a_token_not_read(receiver: Receiver) -> None:
    long = {"ack": [], "padding": "x" * 200_000}
    assert receiver.send(long).status_code == 413
    assert receiver.send(long, "nonsense").status_code == 401


def test_the_configuration_says_how_events_are_delivered(server: AuthServer) -> None:
    said = server.http.get("/.well-known/ssf-configuration").json()
    assert said["issuer"] == ISSUER
    assert said["delivery_methods_supported"] == ["urn:ietf:rfc:8936"]
