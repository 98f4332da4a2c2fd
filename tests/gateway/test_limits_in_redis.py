"""Limits that several gateways share, on a real Valkey: counted once for all of them, and never past."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from gateway.app import create_app
from gateway.limits_in_redis import LimitsInRedis
from gateway.rate import Limit, Limits, LimitsUnavailable, Rate
from gateway.settings import Settings
from tests.gateway.conftest import bearer
from tests.gateway.recording import RecordingResource
from tests.issuer import AGENT, CUSTOMER, TestIssuer
from tests.serving import serve
from tests.stack.waiting import until
from tests.valkey import PASSWORD, Valkey, running_valkey, valkey, valkey_server

__all__ = ["valkey", "valkey_server"]

POLICY = f"""\
audience: https://account.api.example.com
name: Account API
operations:
  account.read:
    method: GET
    path: /accounts/{{account_id}}
    scope: account:read_balance
    actors: [{AGENT}]
    rate: {{agent: 20/hour, customer: 6/hour}}
  account.list:
    method: GET
    path: /accounts
    scope: account:read_balance
    actors: [{AGENT}]
  account.watch:
    method: GET
    path: /events
    scope: account:read_balance
    actors: [{AGENT}]
    rate: {{agent: 3/second}}
"""


@pytest.fixture
def one(settings: Settings, resource: RecordingResource, valkey: Valkey, tmp_path: Path) -> Iterator[str]:
    with gateway(settings, tmp_path / "one", valkey) as url:
        yield url


@pytest.fixture
def two(settings: Settings, resource: RecordingResource, valkey: Valkey, tmp_path: Path) -> Iterator[str]:
    with gateway(settings, tmp_path / "two", valkey) as url:
        yield url


@contextmanager
def gateway(settings: Settings, folder: Path, server: Valkey) -> Iterator[str]:
    folder.mkdir()
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    changes = {"policy_file": policy, "data_dir": folder, "redis_url": SecretStr(server.url)}
    with serve(create_app(settings.model_copy(update=changes))) as url:
        yield url


def headers(issuer: TestIssuer, customer: str = CUSTOMER) -> dict[str, str]:
    return bearer(issuer.delegation_token("account:read_balance", sub=customer))


def test_two_gateways_permit_no_more_than_one_limit_however_many_call_at_once(
    one: str, two: str, resource: RecordingResource, issuer: TestIssuer
) -> None:
    customers = {name: headers(issuer, name) for name in ("a", "b", "c", "d", "e")}
    with httpx2.Client() as http, ThreadPoolExecutor(16) as callers:

        def call(number: int) -> tuple[str, int]:
            name = "abcde"[number % 5]
            url = (one, two)[number // 5 % 2]
            return name, http.get(f"{url}/accounts/4001", headers=customers[name]).status_code

        told = list(callers.map(call, range(100)))
    permitted = Counter(name for name, status in told if status == 200)
    assert {status for _, status in told} == {200, 429}
    assert permitted.total() == 20
    assert max(permitted.values()) <= 6
    assert len(resource.arrived) == 20


def test_a_call_that_one_limit_refuses_counts_against_no_other(
    one: str, two: str, issuer: TestIssuer, valkey: Valkey
) -> None:
    with httpx2.Client() as http:

        def told(customer: str) -> list[int]:
            """Call ten times, by turns."""
            calls = [(one, two)[turn % 2] for turn in range(10)]
            own = headers(issuer, customer)
            return [http.get(f"{url}/accounts/4001", headers=own).status_code for url in calls]

        assert [told(name).count(200) for name in "abcd"] == [6, 6, 6, 2]
        answer = http.get(f"{two}/accounts/4001", headers=headers(issuer, "e"))
    assert answer.json()["reason"] == "account.read may be done 20/hour by this agent, and that is used up."
    assert 170 <= int(answer.headers["retry-after"]) <= 180


def test_what_is_kept_ends_by_itself_and_names_nobody(one: str, issuer: TestIssuer, valkey: Valkey) -> None:
    assert httpx2.get(f"{one}/accounts/4001", headers=headers(issuer)).status_code == 200
    keys = valkey.client.keys()
    assert len(keys) == 2
    for key in keys:
        assert key.startswith(b"agent-gateway:")
        assert AGENT.encode() not in key
        assert CUSTOMER.encode() not in key
        assert 0 < valkey.client.pttl(key) <= 3_600_000


def test_room_comes_back(one: str, issuer: TestIssuer) -> None:
    with httpx2.Client(base_url=one, headers=headers(issuer)) as http:
        until(lambda: http.get("/events").status_code == 429, "the limit is used up")
        until(lambda: http.get("/events").status_code == 200, "there is room again")


def test_without_redis_what_has_a_limit_is_refused_and_all_else_goes_on_until_it_is_back(
    settings: Settings,
    resource: RecordingResource,
    issuer: TestIssuer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ExitStack() as ending:
        server = ending.enter_context(running_valkey())
        url = ending.enter_context(gateway(settings, tmp_path / "one", server))
        http = ending.enter_context(httpx2.Client(base_url=url, headers=headers(issuer)))
        assert http.get("/accounts/4001").status_code == 200
        until(lambda: http.get("/readyz").status_code == 200, "it is ready")
        for stop, start in ((server.stop, server.start), (server.freeze, server.thaw)):
            resource.reset()
            stop()
            answer = http.get("/accounts/4001")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert answer.json()["type"].endswith("/limits-unavailable")
            assert answer.json()["operation"] == "account.read"
            assert http.get("/accounts").status_code == 200
            assert list(http.get("/readyz").json()["lacking"]) == ["limits"]
            assert [one.path for one in resource.arrived] == [b"/accounts"]
            start()
            until(lambda: http.get("/accounts/4001").status_code == 200, "calls are counted again")
            until(lambda: http.get("/readyz").status_code == 200, "it is ready again")
    said = capsys.readouterr()
    assert '"kind":"limits-unavailable"' in said.out.replace(" ", "")
    assert "cannot be counted" in caplog.text
    assert PASSWORD not in caplog.text + said.out + said.err


@pytest.mark.parametrize(
    "url", ["http://user:a-secret@host", "redis://user:a-secret@host:x/0", "host:a-secret"]
)
def test_an_address_that_is_none_is_refused_at_the_start_and_not_repeated(
    url: str, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="REDIS_URL must be like") as refused:
        create_app(settings.model_copy(update={"redis_url": SecretStr(url), "data_dir": tmp_path}))
    assert "a-secret" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.asyncio
async def test_the_script_counts_as_the_memory_does(valkey: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    chance, now = random.Random(5), datetime.now(UTC)
    memory, redis = Limits(), LimitsInRedis(valkey.url, "test:")
    caplog.set_level(logging.DEBUG)
    for _ in range(500):
        actor, customer = chance.choice("ab"), chance.choice("cde")
        limits: list[Limit] = [
            ("this agent", ("op", actor, "agent", ""), Rate(chance.choice((9, 10)), 3600)),
            ("this agent for this customer", ("op", actor, "customer", customer), Rate(4, 3600)),
        ][chance.randrange(2) :]
        expected, found = await memory.take(limits, now), await redis.take(limits, now)
        assert (found and (found.of, found.rate)) == (expected and (expected.of, expected.rate))
        if found and expected:
            assert 0 <= expected.wait_seconds - found.wait_seconds <= 5
    await redis.aclose()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer", ["+OK", ":1", "*0", "*1\r\n:1", "*2\r\n:9\r\n:1", "*2\r\n$1\r\na\r\n:1", "$-1"]
)
async def test_an_answer_that_is_none_to_the_question_counts_as_no_answer(answer: str) -> None:
    async def say_so(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            writer.write(f"{answer}\r\n".encode())
        writer.close()

    async with await asyncio.start_server(say_so, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        limits = LimitsInRedis(f"redis://127.0.0.1:{port}/0?protocol=2&lib_name=&lib_version=", "test:")
        key = ("account.read", AGENT, "agent", "")
        with pytest.raises(LimitsUnavailable):
            await limits.take([("agent", key, Rate(20, 3600))], datetime.now(UTC))
        await limits.aclose()
