"""Conditions, depth and limits, through the front door: a call passes only if what it asks for is allowed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from gateway.rate import Limits, Rate
from gateway.settings import Settings
from tests.clock import SetClock
from tests.gateway.conftest import Records, bearer, gateway_with
from tests.gateway.recording import RecordingResource
from tests.gateway.wire import connected, exchange, request
from tests.issuer import AGENT, TestIssuer
from tests.serving import serve

PACKAGED = Settings().policy_file
LIMIT = "The assistant may transfer 1,000.00 EUR at a time at most, and only euros."

POLICY = f"""\
audience: https://account.api.example.com
name: Account API
operations:
  account.read:
    method: GET
    path: /accounts/{{account_id}}
    scope: account:read_balance
    actors: [{AGENT}]
    max_depth: 1
    rate: {{agent: 5/minute, customer: 2/minute}}
    arguments:
      account_id: {{in: path}}
      limit: {{in: query, type: int, default: "10"}}
    conditions:
      - require: args.account_id.startsWith('40') && args.limit <= 50
        otherwise: Ask for fewer.
  account.transfer:
    method: POST
    path: /transfers
    scope: account:transfer
    actors: [{AGENT}]
    arguments:
      amount_minor: {{in: body, name: /amount/amount_minor, type: int}}
    conditions:
      - require: authorization_details.all(one, args.amount_minor <= one.max_amount_minor)
        otherwise: The token allows less.
      - require: now - claims.iat < duration('100s') && claims.client_id == actor.sub
        otherwise: Exchange again.
  account.close:
    method: DELETE
    path: /accounts/{{account_id}}
    scope: account:transfer
    actors: [{AGENT}]
    mode: observe
    conditions:
      - require: customer == 'nobody@example.com'
        otherwise: Nobody closes accounts.
"""


@pytest.fixture
def packaged(settings: Settings, resource: RecordingResource) -> Iterator[httpx2.Client]:
    """A gateway with the packaged policy."""
    with gateway_with(settings, policy_file=PACKAGED) as client:
        yield client


@pytest.fixture
def client(settings: Settings, resource: RecordingResource, tmp_path: Path) -> Iterator[httpx2.Client]:
    """A gateway with the policy above, and this test's clock."""
    with gateway_of(settings, tmp_path, POLICY) as client:
        yield client


@contextmanager
def gateway_of(
    settings: Settings, folder: Path, policy: str, clock: SetClock | None = None
) -> Iterator[httpx2.Client]:
    file = folder / "policy.yaml"
    file.write_text(policy)
    own = settings.model_copy(update={"policy_file": file})
    app = create_app(own, clock) if clock else create_app(own)
    with serve(app) as url, httpx2.Client(base_url=url) as client:
        yield client


def order(amount: Any = 100, currency: Any = "EUR") -> dict[str, Any]:
    return {"from_account": "4001-01", "to": "x", "amount": {"amount_minor": amount, "currency": currency}}


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("type", "").rpartition("/")[2]


def test_a_transfer_within_the_packaged_bound_passes_with_its_body_byte_for_byte(
    packaged: httpx2.Client, resource: RecordingResource, issuer: TestIssuer
) -> None:
    body = json.dumps(order(100_000), indent=3).encode()
    headers = bearer(issuer.delegation_token("account:transfer")) | {"content-type": "application/json"}
    assert packaged.post("/transfers", headers=headers, content=body).status_code == 200
    assert packaged.post("/transfers", headers=headers, content=iter([body[:9], body[9:]])).status_code == 200
    assert [one.body for one in resource.arrived] == [body, body]


@pytest.mark.parametrize(("amount", "currency"), [(100_001, "EUR"), (1, "USD"), (2**63 - 1, "EUR")])
def test_a_transfer_over_the_packaged_bound_is_refused_in_the_policys_own_words(
    amount: int, currency: str, packaged: httpx2.Client, resource: RecordingResource, issuer: TestIssuer
) -> None:
    token = bearer(issuer.delegation_token("account:transfer"))
    answer = packaged.post("/transfers", headers=token, json=order(amount, currency))
    assert problem(answer) == (403, "condition-not-met")
    assert answer.json()["reason"] == LIMIT
    assert "www-authenticate" not in answer.headers
    assert resource.arrived == []


BODIES = {
    "no body": b"",
    "no JSON": b"amount=1",
    "a list": b"[]",
    "a text": b'"amount"',
    "no amount": b'{"amount":{"currency":"EUR"}}',
    "an amount of text": json.dumps(order("100")).encode(),
    "an amount that is true": json.dumps(order(amount=True)).encode(),
    "an amount with a fraction": json.dumps(order(1.0)).encode(),
    "an amount in exponents": b'{"amount":{"amount_minor":1e2,"currency":"EUR"}}',
    "an amount that is null": json.dumps(order(None)).encode(),
    "an amount past 64 bits": json.dumps(order(2**63)).encode(),
    "an amount of 5000 digits": json.dumps(order()).encode().replace(b"100", b"9" * 5000),
    "a currency that is a number": json.dumps(order(1, 1)).encode(),
    "a currency of half a character": b'{"amount":{"amount_minor":1,"currency":"\\ud800"}}',
    "a currency without an end": json.dumps(order(1, "E" * 600)).encode(),
    "an amount twice": b'{"amount":{"amount_minor":1,"amount_minor":9999999,"currency":"EUR"}}',
    "an amount in two spellings": b'{"amount":{"amount_minor":1,"Amount_Minor":9999999,"currency":"EUR"}}',
    "an amount as protobuf spells it, too": b'{"amount":{"amount_minor":1,"amountMinor":9,"currency":"EUR"}}',
    "an amount whose other name ends at NUL": b'{"amount":{"amount_minor":1,"a\\u0000":9,"currency":"EUR"}}',
    "a name of half a character": b'{"amount":{"amount_minor":1,"a\\ud800":9,"currency":"EUR"}}',
    "a member elsewhere twice": b'{"a":1,"a":2,' + json.dumps(order()).encode()[1:],
    "NaN elsewhere": b'{"a":NaN,' + json.dumps(order()).encode()[1:],
    "UTF-16": json.dumps(order()).encode("utf-16"),
    "UTF-16 without a mark": json.dumps(order()).encode("utf-16-le"),
    "a byte order mark": json.dumps(order()).encode("utf-8-sig"),
    "nesting without an end": b'{"a":' * 9000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_whose_arguments_cannot_be_told_is_answered_422(
    body: bytes, packaged: httpx2.Client, resource: RecordingResource, issuer: TestIssuer
) -> None:
    headers = bearer(issuer.delegation_token("account:transfer")) | {"content-type": "application/json"}
    answer = packaged.post("/transfers", headers=headers, content=body)
    assert problem(answer) == (422, "unusable-argument")
    assert resource.arrived == []


@pytest.mark.parametrize("media_type", ["text/plain", "application/json; charset=utf-16", "", "text/json"])
def test_a_body_that_does_not_say_it_is_json_is_answered_422(
    media_type: str, packaged: httpx2.Client, resource: RecordingResource, issuer: TestIssuer
) -> None:
    headers = bearer(issuer.delegation_token("account:transfer")) | {"content-type": media_type}
    answer = packaged.post("/transfers", headers=headers, content=json.dumps(order()))
    assert problem(answer) == (422, "unusable-argument")
    assert resource.arrived == []


def test_a_body_over_the_limit_is_not_held(
    packaged: httpx2.Client, settings: Settings, resource: RecordingResource, issuer: TestIssuer
) -> None:
    headers = bearer(issuer.delegation_token("account:transfer")) | {"content-type": "application/json"}
    long = iter([b"x" * settings.max_body_bytes, b"x"])
    assert problem(packaged.post("/transfers", headers=headers, content=long)) == (413, "content-too-large")
    assert resource.arrived == []


def test_a_body_that_does_not_come_is_answered_408_and_one_without_a_good_token_is_not_waited_for(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer
) -> None:
    with gateway_with(settings, policy_file=PACKAGED, held_body_seconds=0.05) as client:
        for scope, told in (
            ("account:transfer", (408, "body-too-slow")),
            ("account:read_balance", (403, "insufficient-scope")),
        ):
            sent = request("POST", "/transfers", issuer.delegation_token(scope), "Content-Length: 9")
            assert problem(exchange(str(client.base_url).rstrip("/"), sent)) == told
    assert resource.arrived == []


def test_arguments_in_path_and_query_are_typed_and_have_defaults(
    client: httpx2.Client, resource: RecordingResource, issuer: TestIssuer
) -> None:
    def told(address: str, **claims: Any) -> tuple[int, str]:
        token = issuer.delegation_token("account:read_balance", sub=address, **claims)
        return problem(client.get(address, headers=bearer(token)))

    assert told("/accounts/4001")[0] == 200
    assert told("/accounts/4001?limit=50&other=1")[0] == 200
    for address in ("/accounts/5001", "/accounts/4001?limit=51"):
        assert told(address) == (403, "condition-not-met")
    for query in (
        "limit=",
        "limit=1&limit=1",
        "limit=x",
        "limit=1.0",
        "limit=%2050",
        "limit=0x1",
        "limit=+1",
        "a=1;limit=51",
        "a=%FF",
        "Limit=51",
        "limit=1&limit[]=51",
        "+limit=51",
        "limit%00=51",
    ):
        assert told(f"/accounts/4001?{query}") == (422, "unusable-argument"), query
    assert len(resource.arrived) == 2


def test_a_default_stands_for_what_is_absent_and_not_for_what_another_reader_would_find(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    policy = PACKAGED.read_text().replace("type: int", 'type: int, default: "1"')
    token = bearer(issuer.delegation_token("account:transfer"))
    with gateway_of(settings, tmp_path, policy) as client:

        def told(amount: object) -> int:
            return client.post("/transfers", headers=token, json={"amount": amount}).status_code

        assert told({"currency": "EUR"}) == 200
        for name in ("Amount_Minor", "AMOUNT_MINOR", "amountMinor", "amount-minor"):
            assert told({"currency": "EUR", name: 9_999_999}) == 422, name
        assert told([{"currency": "EUR", "amount_minor": 9_999_999}]) == 422
    assert len(resource.arrived) == 1


def test_an_actor_chain_that_is_longer_than_the_operation_allows_is_refused(
    client: httpx2.Client, issuer: TestIssuer
) -> None:
    act = {"sub": AGENT, "act": {"sub": "https://other.example.com"}}
    token = issuer.delegation_token("account:read_balance", act=act)
    assert problem(client.get("/accounts/4001", headers=bearer(token))) == (403, "delegation-too-deep")


def test_conditions_look_at_claims_time_and_authorization_details(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    clock = SetClock(datetime.now(UTC))

    def told(client: httpx2.Client, token: str, amount: int) -> tuple[int, str]:
        answer = client.post("/transfers", headers=bearer(token), json=order(amount))
        return answer.status_code, answer.json().get("reason", "")

    details = [{"type": "account_transfer", "max_amount_minor": 5}]
    limited = issuer.delegation_token("account:transfer", authorization_details=details)
    unlimited = issuer.delegation_token("account:transfer")
    another = issuer.delegation_token("account:transfer", client_id="https://other.example.com")
    with gateway_of(settings, tmp_path, POLICY, clock) as client:
        assert told(client, limited, 5)[0] == 200
        assert told(client, limited, 6) == (403, "The token allows less.")
        assert told(client, unlimited, 6)[0] == 200
        assert told(client, another, 6) == (403, "Exchange again.")
        clock.forward(seconds=101)
        assert told(client, unlimited, 6) == (403, "Exchange again.")


def test_a_condition_that_cannot_be_decided_refuses(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    token = issuer.delegation_token(
        "account:transfer", authorization_details=[{"type": "account_transfer", "max_amount_minor": 5}]
    )
    undecidable = [
        "authorization_details[1].max_amount_minor > 0",
        "authorization_details[0].nothing == 1",
        "authorization_details[0].type > 1",
        "100 / (args.amount_minor - args.amount_minor) > 0",
        "args.amount_minor * 9223372036854775807 > 0",
        "claims.client_id.matches('(')",
    ]
    for text in undecidable:
        policy = POLICY.replace("now - claims.iat < duration('100s') && claims.client_id == actor.sub", text)
        with gateway_of(settings, tmp_path, policy) as client:
            answer = client.post("/transfers", headers=bearer(token), json=order(4))
            assert problem(answer) == (403, "condition-undecidable"), text
    assert resource.arrived == []


def test_limits_count_by_agent_and_by_customer_and_tell_when_to_come_back(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    clock = SetClock(datetime.now(UTC))
    tokens = {name: bearer(issuer.delegation_token("account:read_balance", sub=name)) for name in "abcd"}
    with gateway_of(settings, tmp_path, POLICY, clock) as client:

        def told(customer: str, path: str = "/accounts/4001") -> tuple[int, str | None]:
            answer = client.get(path, headers=tokens[customer])
            return answer.status_code, answer.headers.get("retry-after")

        assert told("a", "/accounts/5001")[0] == 403  # a refusal counts against nobody
        assert [told("a"), told("a"), told("a")] == [(200, None), (200, None), (429, "30")]
        assert [told("b"), told("b"), told("c")] == [(200, None)] * 3
        assert told("d") == (429, "12")  # the agent's own five are used up
        clock.forward(seconds=12)
        assert told("d") == (200, None)
        assert told("a") == (429, "18")
        clock.forward(seconds=12)
        assert told("a") == (429, "6")
        clock.forward(seconds=6)
        assert told("a") == (200, None)


def test_a_limit_is_of_one_operation_and_one_agent(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    other = "https://other.example.com"
    rest = f"scope: s, actors: [{AGENT}, {other}], rate: {{agent: 2/minute, customer: 1/minute}}"
    policy = f"""\
audience: https://account.api.example.com
name: Account API
operations:
  one.read: {{method: GET, path: /one, {rest}}}
  two.read: {{method: GET, path: /two, {rest}}}
"""
    with gateway_of(settings, tmp_path, policy) as client:

        def told(path: str, agent: str, customer: str) -> int:
            # An agent behind it changes nothing: the limit is the current actor's.
            act = {"sub": agent, "act": {"sub": AGENT}}
            token = issuer.delegation_token("s", act=act, sub=customer)
            return client.get(path, headers=bearer(token)).status_code

        for path in ("/one", "/two"):
            for agent in (AGENT, other):
                found = [told(path, agent, customer) for customer in ("a", "a", "b", "c")]
                assert found == [200, 429, 200, 429], (path, agent)


def test_what_is_observed_only_passes_and_says_so_and_everything_else_is_enforced(
    client: httpx2.Client, resource: RecordingResource, issuer: TestIssuer, records: Records
) -> None:
    answer = client.delete("/accounts/1", headers=bearer(issuer.delegation_token("account:transfer")))
    assert answer.status_code == 200
    [record] = records()
    assert record["decision"] == "permit"
    assert record["reason"].endswith("Observed only, and not enforced: Nobody closes accounts.")
    assert client.delete("/accounts/1").status_code == 401
    expired = issuer.mint(act={"sub": AGENT}, scope="account:transfer", life=-1)
    assert client.delete("/accounts/1", headers=bearer(expired)).status_code == 401
    other = issuer.delegation_token("account:transfer", act={"sub": "https://other.example.com"})
    assert client.delete("/accounts/1", headers=bearer(other)).status_code == 403
    narrow = issuer.delegation_token("account:read_balance")
    assert client.delete("/accounts/1", headers=bearer(narrow)).status_code == 403
    assert (
        client.delete("/accounts/1", headers=bearer(issuer.app_token("account:transfer"))).status_code == 403
    )
    assert len(resource.arrived) == 1


def test_a_token_that_expires_while_its_body_is_awaited_moves_nothing(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    clock = SetClock(datetime.now(UTC))
    body = json.dumps(order(5)).encode()
    lines = (f"Content-Length: {len(body)}", "Content-Type: application/json", "Expect: 100-continue")
    token = issuer.delegation_token("account:transfer")
    with (
        gateway_of(settings, tmp_path, PACKAGED.read_text(), clock) as client,
        connected(str(client.base_url)) as connection,
    ):
        connection.sendall(request("POST", "/transfers", token, *lines))
        assert connection.recv(12) == b"HTTP/1.1 100"  # the token was good, and the body is awaited
        clock.forward(seconds=301)
        connection.sendall(body)
        answer = b""
        while b"401" not in answer and (more := connection.recv(65536)):
            answer += more
    assert b"401" in answer
    assert resource.arrived == []


def test_an_observed_body_that_cannot_be_told_goes_on_byte_for_byte(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, records: Records, tmp_path: Path
) -> None:
    policy = PACKAGED.read_text().replace("    arguments:", "    mode: observe\n    arguments:")
    with gateway_of(settings, tmp_path, policy) as client:
        token = bearer(issuer.delegation_token("account:transfer"))
        assert client.post("/transfers", headers=token, content=b"\xff not JSON").status_code == 200
    assert [one.body for one in resource.arrived] == [b"\xff not JSON"]
    [record] = records()
    assert record["call"]["observed"] == "unusable-argument"


def test_a_record_holds_the_arguments_but_none_that_is_long_enough_for_a_token(
    client: httpx2.Client, issuer: TestIssuer, records: Records
) -> None:
    token = issuer.delegation_token("account:read_balance")
    client.get("/accounts/4001?limit=7", headers=bearer(token))
    client.get(f"/accounts/{token.replace('.', '')[:400]}", headers=bearer(token))
    kept, left = (record["call"] for record in records())
    assert kept["arguments"] == {"account_id": "4001", "limit": 7}
    assert (left["arguments"], left["left_out"]) == ({"limit": 10}, ["account_id"])


def test_what_is_counted_is_bounded_and_a_new_one_is_refused_rather_than_an_old_one_forgotten() -> None:
    limits, rate = Limits(capacity=2), Rate(1, 60)
    now = datetime.now(UTC)

    def left(name: str, seconds: float) -> int:
        """Count a call if it may be made; return how long it has to wait if not."""
        limit = [("x", (name, "", "", ""), rate)]
        moment = now + timedelta(seconds=seconds)
        exceeded = limits.exceeded(limit, moment)
        if exceeded is None:
            limits.count(limit, moment)
        return exceeded.wait_seconds if exceeded else 0

    assert [left("a", 0), left("b", 30), left("a", 30), left("c", 31)] == [0, 0, 30, 60]
    assert left("c", 61) == 0  # the first one's time is over
    assert left("d", 62) == 60
    # A clock that was set back by an hour makes nobody wait for an hour.
    assert left("b", -3600) == 60
