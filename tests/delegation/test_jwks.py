"""Somebody else's keys: fetched when needed, kept while good, never relied on for too long (RULES 55, 69)."""

import asyncio

import httpx2
import pytest
from starlette.responses import JSONResponse, Response

from delegation.jwks import KeysUnavailable, RemoteKeySet, UnknownKey
from delegation.signing_key import SigningKey, jwk_set
from tests.clock import SetClock
from tests.jwks_server import JwksServer, dripping

pytestmark = pytest.mark.asyncio


@pytest.fixture
def keys(source: JwksServer, http: httpx2.AsyncClient, clock: SetClock) -> RemoteKeySet:
    return RemoteKeySet(source.jwks_uri, http, clock)


async def test_a_known_key_is_not_asked_for_again(keys: RemoteKeySet, source: JwksServer) -> None:
    for _ in range(5):
        assert (await keys.key(source.keys[0].kid)).key_id == source.keys[0].kid
    assert source.fetches == 1


async def test_an_unknown_key_is_asked_for_once_in_five_seconds(
    keys: RemoteKeySet, source: JwksServer, clock: SetClock
) -> None:
    for seconds, fetches in ((0, 1), (4, 1), (1, 2)):
        clock.forward(seconds=seconds)
        for kid in ("one", "two", "../three"):
            with pytest.raises(UnknownKey):
                await keys.key(kid)
        assert source.fetches == fetches


async def test_many_who_ask_at_once_cause_one_fetch(keys: RemoteKeySet, source: JwksServer) -> None:
    found = await asyncio.gather(*(keys.key(source.keys[0].kid) for _ in range(20)))
    assert len(found) == 20
    assert source.fetches == 1


async def test_a_new_key_is_found_when_it_is_first_used(
    keys: RemoteKeySet, source: JwksServer, clock: SetClock
) -> None:
    await keys.key(source.keys[0].kid)
    source.keys.append(SigningKey.generate())
    clock.forward(seconds=5)
    assert await keys.key(source.keys[1].kid)


async def test_a_key_that_was_taken_away_dies_within_five_minutes(
    keys: RemoteKeySet, source: JwksServer, clock: SetClock
) -> None:
    old = source.keys[0].kid
    await keys.key(old)
    source.keys = [SigningKey.generate()]
    clock.forward(minutes=4, seconds=59)
    assert await keys.key(old)
    clock.forward(seconds=1)
    with pytest.raises(UnknownKey):
        await keys.key(old)


async def test_a_source_that_takes_all_its_keys_away_has_none(
    keys: RemoteKeySet, source: JwksServer, clock: SetClock
) -> None:
    old = source.keys[0].kid
    await keys.key(old)
    source.keys = []
    clock.forward(minutes=5)
    with pytest.raises(UnknownKey):
        await keys.key(old)
    assert not await keys.ready()


async def test_the_last_good_keys_serve_for_an_hour_while_the_source_fails(
    keys: RemoteKeySet, source: JwksServer, clock: SetClock
) -> None:
    kid = source.keys[0].kid
    await keys.key(kid)
    source.broken = Response(status_code=500)
    clock.forward(minutes=59, seconds=59)
    assert await keys.key(kid)
    assert await keys.ready()
    clock.forward(seconds=1)
    with pytest.raises(KeysUnavailable):
        await keys.key(kid)
    assert not await keys.ready()
    source.broken = None
    clock.forward(seconds=1)
    assert await keys.key(kid)
    assert await keys.ready()


async def test_a_source_that_fails_is_asked_once_a_second(
    keys: RemoteKeySet, source: JwksServer, clock: SetClock
) -> None:
    source.broken = Response(status_code=500)
    for fetches in (1, 2, 3):
        for _ in range(5):
            with pytest.raises(KeysUnavailable):
                await keys.key("any")
        assert source.fetches == fetches
        clock.forward(seconds=1)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(Response(status_code=404), id="is not there"),
        pytest.param(Response(status_code=302, headers={"location": "/other"}), id="leads elsewhere"),
        pytest.param(Response("not JSON"), id="has no JSON"),
        pytest.param(Response(b"\xff\xfe"), id="has no text"),
        pytest.param(Response("[" * 60_000), id="has JSON without end"),
        pytest.param(Response(" " * 65_537), id="is too long"),
        pytest.param(JSONResponse([]), id="has a list"),
        pytest.param(JSONResponse({"keys": {}}), id="has an object for keys"),
        pytest.param(JSONResponse({}), id="has no keys member"),
    ],
)
async def test_there_are_no_keys_while_the_source(
    keys: RemoteKeySet, source: JwksServer, broken: Response
) -> None:
    source.broken = broken
    with pytest.raises(KeysUnavailable):
        await keys.key(source.keys[0].kid)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1/jwks", "nonsense", "ftp://127.0.0.1/jwks", "http://["])
async def test_there_are_no_keys_at_an_address_that_cannot_be_reached(
    http: httpx2.AsyncClient, uri: str
) -> None:
    with pytest.raises(KeysUnavailable):
        await RemoteKeySet(uri, http).key("any")


async def test_those_who_waited_for_a_fetch_that_hung_do_not_begin_another(
    source: JwksServer, http: httpx2.AsyncClient
) -> None:
    """The one test that takes seconds: the time-out is a real one, of three seconds for the whole fetch."""
    source.broken = dripping()
    keys = RemoteKeySet(source.jwks_uri, http)
    asked = [keys.key("any") for _ in range(5)]
    assert {type(answer) for answer in await asyncio.gather(*asked, return_exceptions=True)} == {
        KeysUnavailable
    }
    assert source.fetches == 1


good = SigningKey.generate().public_jwk


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(7, id="a number"),
        pytest.param({}, id="an empty object"),
        pytest.param({**good, "kid": None}, id="a key without a kid"),
        pytest.param({**good, "kid": 7}, id="a key whose kid is a number"),
        pytest.param({**good, "use": "enc"}, id="a key for encryption"),
        pytest.param({**good, "x": "AAAA"}, id="a point that is too short"),
        pytest.param({**good, "x": "A" * 43}, id="a point off the curve"),
        pytest.param({**good, "x": 7}, id="a point that is a number"),
        pytest.param({**good, "crv": "P-999"}, id="an unknown curve"),
        pytest.param({**good, "crv": ["P-256"]}, id="a list of curves"),
        pytest.param({**good, "alg": "none"}, id="the algorithm none"),
        pytest.param({**good, "alg": "HS256"}, id="the algorithm of a shared key"),
        pytest.param({**good, "alg": ["ES256"]}, id="a list of algorithms"),
        pytest.param({**good, "kty": ["EC"]}, id="a list of kinds"),
        pytest.param({"kty": "oct", "kid": "1", "k": "AAAA"}, id="a shared key"),
        pytest.param({"kty": "RSA", "kid": "1", "n": "", "e": ""}, id="an empty RSA key"),
        pytest.param(
            {"kty": "OKP", "kid": "1", "crv": "X25519", "x": good["x"]}, id="a key for key agreement"
        ),
    ],
)
async def test_passed_over_and_no_harm_to_other_keys_is(
    keys: RemoteKeySet, source: JwksServer, key: object
) -> None:
    sound = source.keys[0]
    source.broken = JSONResponse({"keys": [key, *jwk_set(sound)["keys"], key]})
    assert await keys.key(sound.kid)
    with pytest.raises(UnknownKey):
        await keys.key("1")
