"""A receiver of security events against a transmitter that says anything (RFC 8417, RFC 8936)."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

import delegation.event_receiver
from delegation.event_receiver import EventReceiver, NoNews, receiving
from delegation.health import NotReady
from delegation.jwks import RemoteKeySet
from delegation.security_event import ACCOUNT_DISABLED, SESSION_REVOKED
from delegation.signing_key import SigningKey, jwk_set
from tests.clock import NOON, SetClock
from tests.delegation.test_revocations import refused, token
from tests.serving import serve

pytestmark = pytest.mark.asyncio
ISSUER, RECEIVER = "https://issuer.example", "gateway"
KEY = SigningKey.generate()


class Transmitter:
    """An issuer's token endpoint, its keys and its event streams."""

    def __init__(self) -> None:
        self.url = ""
        self.forget()

    def forget(self) -> None:
        self.answers: list[Any] = []
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.tokens_given = 0

    async def token(self, _request: Request) -> Response:
        self.tokens_given += 1
        body = {"access_token": "its-own", "token_type": "Bearer", "expires_in": 300, "scope": "ssf.read"}
        return JSONResponse(body)

    async def keys(self, _request: Request) -> Response:
        return JSONResponse(jwk_set(KEY))

    async def events(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer its-own"
        self.paths.append(request.url.path)
        self.asked.append(await request.json())
        answer = self.answers.pop(0) if self.answers else {"sets": {}}
        return answer if isinstance(answer, Response) else JSONResponse(answer)


@pytest.fixture(scope="module")
def served() -> Iterator[Transmitter]:
    transmitter = Transmitter()
    routes = [
        Route("/token", transmitter.token, methods=["POST"]),
        Route("/jwks", transmitter.keys),
        Route("/events/{stream_id}", transmitter.events, methods=["POST"]),
    ]
    with serve(Starlette(routes=routes)) as transmitter.url:
        yield transmitter


@pytest.fixture
def transmitter(served: Transmitter) -> Transmitter:
    served.forget()
    return served


def receiver_of(transmitter: Transmitter, http: httpx2.AsyncClient, clock: SetClock) -> EventReceiver:
    return EventReceiver(
        f"{transmitter.url}/events",
        issuer=ISSUER,
        token_endpoint=f"{transmitter.url}/token",
        client_id=RECEIVER,
        key=SigningKey.generate(),
        keys=RemoteKeySet(f"{transmitter.url}/jwks", http, clock),
        http=http,
        clock=clock,
    )


@pytest.fixture
def receiver(transmitter: Transmitter, http: httpx2.AsyncClient, clock: SetClock) -> EventReceiver:
    return receiver_of(transmitter, http, clock)


PARTY = {"format": "iss_sub", "iss": ISSUER, "sub": "https://agent.example"}


def event(
    sub_id: Any = PARTY,
    *,
    kind: str = ACCOUNT_DISABLED,
    key: SigningKey = KEY,
    typ: str = "secevent+jwt",
    **changes: Any,
) -> str:
    """Return a security event token; claims can be changed, or left out with None."""
    now = int(NOON.timestamp())
    claims = {"iss": ISSUER, "aud": RECEIVER, "iat": now, "toe": now, "jti": "event-1", "sub_id": sub_id}
    claims |= {"events": {kind: {}}} | changes
    return key.sign({name: value for name, value in claims.items() if value is not None}, typ)


async def test_events_are_taken_acknowledged_and_told_once(
    receiver: EventReceiver, transmitter: Transmitter
) -> None:
    token = {"format": "jwt_id", "iss": ISSUER, "jti": "one"}
    both = {"format": "complex", "user": PARTY | {"sub": "customer@example.com"}, "application": PARTY}
    transmitter.answers = [
        {"sets": {"a": event(), "b": event(token, kind=SESSION_REVOKED)}, "moreAvailable": True},
        {"sets": {"c": event(both, kind=SESSION_REVOKED)}},
    ]
    current = []
    for _ in range(3):
        await receiver.poll()
        current.append(receiver.revocations.is_current)
    assert current == [False, True, True], "after the first there is more to come"
    assert [asked["ack"] for asked in transmitter.asked] == [[], ["a", "b"], ["c"]]
    assert [asked["returnImmediately"] for asked in transmitter.asked] == [True, True, False]
    assert len(receiver.revocations) == 3


async def test_each_kind_of_subject_ends_what_it_names(
    receiver: EventReceiver, transmitter: Transmitter
) -> None:
    person = {"format": "iss_sub", "iss": ISSUER, "sub": "customer@example.com"}
    both = {"format": "complex", "user": person, "application": PARTY}
    transmitter.answers = [{"sets": {"a": event(both, kind=SESSION_REVOKED)}}]
    await receiver.poll()
    before = NOON - timedelta(seconds=1)
    agents = token(client_id=PARTY["sub"], actor=PARTY["sub"], sub=person["sub"], issued_at=before)
    elsewhere = token(client_id=PARTY["sub"], actor=PARTY["sub"], sub="else@example.com", issued_at=before)
    assert refused(receiver.revocations, agents)
    assert not refused(receiver.revocations, elsewhere)


async def test_whatever_goes_wrong_it_asks_again(
    receiver: EventReceiver, transmitter: Transmitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegation.event_receiver, "_BETWEEN_TRIES_SECONDS", 0.0)
    half_a_character = Response(b'{"sets": {"\\ud800": "nonsense"}}', media_type="application/json")
    transmitter.answers = [PlainTextResponse("no", 500), half_a_character, PlainTextResponse("no", 401)]
    far_away = event(toe=253_402_300_799, jti="far")
    transmitter.answers += [{"sets": {"far": far_away}}, {"sets": {}}]
    async with receiving(receiver):
        for _ in range(1000):
            if receiver.revocations.is_current and not transmitter.answers:
                break
            await asyncio.sleep(0.01)
    assert transmitter.tokens_given == 2, "a token that was not taken is not sent again"


async def test_each_start_has_a_stream_of_its_own(
    transmitter: Transmitter, http: httpx2.AsyncClient, clock: SetClock
) -> None:
    for _ in range(2):
        await receiver_of(transmitter, http, clock).poll()
    assert len(set(transmitter.paths)) == 2


async def test_events_about_other_things_are_passed_over(
    receiver: EventReceiver, transmitter: Transmitter
) -> None:
    other = "https://schemas.openid.net/secevent/ssf/event-type/verification"
    transmitter.answers = [{"sets": {"a": event({"format": "opaque", "id": "x"}, kind=other)}}]
    await receiver.poll()
    await receiver.poll()
    assert transmitter.asked[1]["ack"] == ["a"]
    assert len(receiver.revocations) == 0
    assert receiver.revocations.is_current


WRONG: dict[str, Any] = {
    "another issuer": event(iss="https://other.example"),
    "another receiver": event(aud="account-api"),
    "no audience": event(aud=None),
    "another key": event(key=SigningKey.generate()),
    "an access token": event(typ="at+jwt"),
    "no type": event(typ="JWT"),
    "no events": event(events=None),
    "events as a list": event(events=[ACCOUNT_DISABLED]),
    "no subject": event(None),
    "a subject of another issuer": event(PARTY | {"iss": "https://other.example"}),
    "a subject without a name": event({"format": "iss_sub", "iss": ISSUER}),
    "a subject of an unknown format": event({"format": "email", "email": "a@example.com"}),
    "a complex subject without an application": event({"format": "complex", "user": PARTY}),
    "a time that is none": event(toe="yesterday"),
    "an endless time": event(toe=1e300),
    "no jti": event(jti=None),
    "a time that is yes or no": event(toe=True),
    "no JWT": "nonsense",
    "nothing": "",
    "no string": 5,
    "deep": "[" * 10_000,
}


CODES = {
    "another issuer": "invalid_issuer",
    "another receiver": "invalid_audience",
    "another key": "invalid_key",
}
"""RFC 8935 §2.4."""


@pytest.mark.parametrize("wrong", WRONG)
async def test_an_event_that_cannot_be_relied_on_is_told_back_and_counts_as_no_news(
    receiver: EventReceiver, transmitter: Transmitter, wrong: str
) -> None:
    transmitter.answers = [{"sets": {"good": event(jti="event-2"), "bad": WRONG[wrong]}}]
    with pytest.raises(NoNews):
        await receiver.poll()
    assert not receiver.revocations.is_current
    assert len(receiver.revocations) == 1, "the good one counts"
    await receiver.poll()
    assert transmitter.asked[1]["ack"] == ["good"]
    assert transmitter.asked[1]["setErrs"]["bad"]["err"] == CODES.get(wrong, "invalid_request")


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("no", 500),
        PlainTextResponse("no", 401),
        PlainTextResponse("no JSON"),
        RedirectResponse("/elsewhere"),
        PlainTextResponse("[" * 100_000),
        PlainTextResponse("x" * (4 * 1024 * 1024 + 1)),
        JSONResponse([]),
        JSONResponse({}),
        JSONResponse({"sets": []}),
        JSONResponse({"sets": None}),
    ],
    ids=["500", "401", "text", "redirect", "deep", "endless", "list", "no sets", "sets as a list", "null"],
)
async def test_an_unusable_answer_is_no_news(
    receiver: EventReceiver, transmitter: Transmitter, clock: SetClock, answer: Response
) -> None:
    await receiver.poll()
    await receiver.ready()
    transmitter.answers = [answer]
    with pytest.raises(NoNews):
        await receiver.poll()
    await receiver.ready()
    clock.forward(seconds=15)
    with pytest.raises(NotReady, match="nothing has been heard of ended tokens"):
        await receiver.ready()
    await receiver.poll()
    await receiver.ready()


async def test_what_was_taken_is_acknowledged_again_when_the_acknowledgement_may_be_lost(
    receiver: EventReceiver, transmitter: Transmitter
) -> None:
    transmitter.answers = [{"sets": {"a": event()}}, PlainTextResponse("gone", 502)]
    await receiver.poll()
    with pytest.raises(NoNews):
        await receiver.poll()
    await receiver.poll()
    assert [asked["ack"] for asked in transmitter.asked] == [[], ["a"], ["a"]]


async def test_an_answer_that_took_long_is_only_news_from_when_it_was_asked_for(
    receiver: EventReceiver, transmitter: Transmitter, clock: SetClock
) -> None:
    class Late(JSONResponse):
        async def __call__(self, *arguments: Any) -> None:
            clock.forward(seconds=16)
            await super().__call__(*arguments)

    transmitter.answers = [Late({"sets": {}})]
    await receiver.poll()
    assert not receiver.revocations.is_current


async def test_nothing_that_was_sent_stands_in_what_is_told(
    receiver: EventReceiver, transmitter: Transmitter
) -> None:
    transmitter.answers = [{"sets": {"bad": WRONG["another issuer"]}}]
    with pytest.raises(NoNews) as told:
        await receiver.poll()
    assert WRONG["another issuer"].split(".")[2] not in str(told.value)
    assert "its-own" not in json.dumps(transmitter.asked) + str(told.value)
