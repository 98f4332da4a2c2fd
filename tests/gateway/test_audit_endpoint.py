"""`GET /audit` of the gateway: what it decided on, for auditors alone."""

import csv
import io
import json
import time
from typing import Any

import httpx2
import pytest

from tests.gateway.conftest import bearer
from tests.gateway.test_records import transfer
from tests.held_query import held_query
from tests.issuer import AGENT, CUSTOMER, TestIssuer

BALANCE = "account:read_balance"


def auditor(issuer: TestIssuer, **claims: Any) -> dict[str, str]:
    return bearer(issuer.mint(**{"sub": "audit@example.com", "scope": "audit:read"} | claims))


def test_an_auditor_finds_the_decision_of_a_call_by_its_id_and_in_each_form(
    client: httpx2.Client, issuer: TestIssuer
) -> None:
    token = issuer.delegation_token(BALANCE)
    for path in ("/accounts", "/accounts/4001-01/transactions"):
        client.get(path, headers=bearer(token))
    asked = {"sub": CUSTOMER, "agent": AGENT, "order": "newest", "limit": "2"}
    answer = client.get("/audit", params=asked, headers=auditor(issuer))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    denied, permitted = answer.json()["records"]
    assert (denied["decision"], permitted["decision"]) == ("deny", "permit")
    assert (permitted["service"], permitted["operation"], permitted["act"]) == (
        "gateway",
        "account.list",
        [AGENT],
    )
    assert answer.json()["next"] == permitted["position"]
    lines = client.get("/audit", params=asked | {"format": "jsonl"}, headers=auditor(issuer)).text
    assert [json.loads(line)["decision_id"] for line in lines.splitlines()] == [
        denied["decision_id"],
        permitted["decision_id"],
    ]
    table = client.get("/audit", params=asked | {"format": "csv"}, headers=auditor(issuer)).text
    assert [row["decision"] for row in csv.DictReader(io.StringIO(table))] == ["deny", "permit"]


def test_reading_is_a_record_too_and_so_is_a_refusal(client: httpx2.Client, issuer: TestIssuer) -> None:
    client.get("/audit", headers=bearer(issuer.app_token()))
    client.get("/audit", headers=auditor(issuer))
    asked = {"operation": "audit.read", "order": "newest", "limit": "3"}
    found = client.get("/audit", params=asked, headers=auditor(issuer)).json()["records"]
    assert [one["decision"] for one in found] == ["permit", "permit", "deny"]
    assert found[0]["sub"] == "audit@example.com"


def test_no_call_waits_for_an_audit_query(
    client: httpx2.Client, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask() -> httpx2.Response:
        return client.get("/audit", params={"agent": AGENT}, headers=auditor(issuer))

    with held_query(monkeypatch, "gateway.audit", ask) as answered:
        began = time.monotonic()
        transferred = transfer(client, issuer)
        assert time.monotonic() - began < 2
    assert transferred.status_code < 300
    assert answered[0].status_code == 200


@pytest.mark.parametrize(
    "kind", ["nobody", "customer", "agent", "for another", "elsewhere", "app for an agent"]
)
def test_nobody_else_reads_it(client: httpx2.Client, issuer: TestIssuer, kind: str) -> None:
    headers = {
        "nobody": {},
        "customer": bearer(issuer.app_token()),
        "agent": bearer(issuer.delegation_token(BALANCE)),
        "for another": bearer(issuer.delegation_token("audit:read")),
        "elsewhere": auditor(issuer, aud="https://else.example"),
        "app for an agent": auditor(issuer, may_act={"sub": AGENT}),
    }[kind]
    answer = client.get("/audit", headers=headers)
    assert answer.status_code in {401, 403}
    assert "position" not in answer.text
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"decision": "maybe"},
        {"from": "yesterday"},
        {"trace_id": "x"},
        {"x": "y"},
    ],
)
def test_a_malformed_question_is_refused_in_words(
    client: httpx2.Client, issuer: TestIssuer, asked: dict[str, str]
) -> None:
    answer = client.get("/audit", params=asked, headers=auditor(issuer))
    assert answer.status_code == 422
    assert next(iter(asked)) in answer.json()["detail"]


def test_other_methods_and_paths_below_are_not_there(client: httpx2.Client, issuer: TestIssuer) -> None:
    assert client.post("/audit", headers=auditor(issuer)).status_code == 405
    assert client.get("/audit/1", headers=auditor(issuer)).status_code in {403, 404}
