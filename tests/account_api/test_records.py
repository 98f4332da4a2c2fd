"""Shows the records: every answer has one, it names customer and agent, and it holds nothing secret."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from tests.account_api.banks import READ, Bank, open_bank, sqlite_url
from tests.issuer import ACCOUNT_API, AGENT, CUSTOMER, TestIssuer

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


def last_record(bank: Bank) -> Any:
    return bank.ledger.records()[-1]


def test_a_permit_names_the_customer_the_agent_and_what_was_done(
    bank: Bank, capsys: pytest.CaptureFixture[str]
) -> None:
    token = bank.issuer.delegation_token("account:read_balance", jti="the-jti")
    answer = bank.send("GET", "/accounts/4001-01/balance", token, headers=TRACEPARENT)
    expected = {
        "service": "account_api",
        "step": 6,
        "decision": "permit",
        "operation": "account.read_balance",
        "resource": "/accounts/4001-01/balance",
        "sub": CUSTOMER,
        "act": [AGENT],
        "client_id": AGENT,
        "aud": [ACCOUNT_API],
        "scope": "account:read_balance",
        "jti": "the-jti",
        "trace_id": TRACE,
        "decision_id": answer.headers["Record-Id"],
        "time": "2026-06-15T12:00:00.000000+00:00",
    }
    [line] = capsys.readouterr().out.splitlines()
    for record in (json.loads(line), last_record(bank)._asdict()):
        assert {name: record[name] for name in expected} == expected
        assert record["reason"]


def test_the_whole_chain_of_actors_is_recorded(bank: Bank) -> None:
    act = {"sub": "https://outer.example.com", "act": {"sub": AGENT}}
    assert bank.get("/accounts", bank.issuer.delegation_token(READ, act=act)).status_code == 200
    assert last_record(bank).act == ["https://outer.example.com", AGENT]


def test_a_transfers_record_names_the_transfer(bank: Bank) -> None:
    receipt = bank.transfer("named").json()
    record = last_record(bank)
    assert (record.operation, record.decision) == ("account.transfer", "permit")
    assert record.resource == f"/transfers/{receipt['transfer_id']}"


def test_a_repeat_is_recorded_as_one(bank: Bank) -> None:
    first, again = bank.transfer("again"), bank.transfer("again")
    assert first.headers["Record-Id"] != again.headers["Record-Id"] == last_record(bank).decision_id
    assert last_record(bank).reason.startswith("repeat of an earlier order")


DENIED: dict[str, tuple[int, str | None]] = {
    "no token": (401, None),
    "bad token": (401, None),
    "scope": (403, CUSTOMER),
    "not yours": (404, CUSTOMER),
    "not valid": (422, CUSTOMER),
    "not there": (404, None),
    "insufficient": (422, CUSTOMER),
}


def denied(bank: Bank, case: str) -> Any:
    mint = bank.issuer.delegation_token
    match case:
        case "no token":
            return bank.send("GET", "/accounts", None)
        case "bad token":
            return bank.get("/accounts", mint(READ, aud="https://other.example.com"))
        case "scope":
            return bank.get("/accounts", mint("account:transfer"))
        case "not yours":
            return bank.get("/accounts/4002-01/balance", mint(READ))
        case "not valid":
            return bank.get("/accounts/4001-01/transactions?limit=0", mint(READ))
        case "not there":
            return bank.get("/nothing", mint(READ))
        case _:
            return bank.transfer("denied", from_account="4001-02", amount=10**9)


@pytest.mark.parametrize("case", DENIED)
def test_every_deny_is_one_record_with_its_reason(
    bank: Bank, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    status, sub = DENIED[case]
    rows = len(bank.ledger.records())
    answer = denied(bank, case)
    record = last_record(bank)
    assert answer.status_code == status
    assert len(bank.ledger.records()) == rows + 1
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert record.decision_id == answer.headers["Record-Id"]
    assert (record.decision, record.sub) == ("deny", sub)
    assert record.act == ([AGENT] if sub else [])
    assert record.reason in answer.text


def test_a_customer_reads_the_own_records_of_a_trace_and_no_others(bank: Bank) -> None:
    trace_id = "f" * 32
    headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    for sub in (CUSTOMER, "maria@example.com"):
        bank.send("GET", "/accounts", bank.issuer.delegation_token(READ, sub=sub), headers=headers)
    answer = bank.get(f"/records?trace_id={trace_id}")
    [record] = answer.json()["records"]
    assert (record["sub"], record["act"], record["operation"]) == (CUSTOMER, [AGENT], "account.list")


def test_without_a_trace_id_the_own_records_are_listed_newest_first_and_paged(bank: Bank) -> None:
    newcomer = f"newcomer-{len(bank.ledger.records())}@example.com"
    for sub in (newcomer, CUSTOMER, newcomer, newcomer):
        bank.send("GET", "/accounts", bank.issuer.delegation_token(READ, sub=sub))
    own = bank.issuer.app_token(sub=newcomer)
    bank.get("/accounts", own)
    newest = bank.get("/records?limit=2&delegated=true", own).json()
    older = bank.get(f"/records?limit=2&delegated=true&before={newest['next']}", own).json()
    acted = [*newest["records"], *older["records"]]
    assert [len(newest["records"]), len(older["records"])] == [2, 1]
    assert older["next"] is None
    assert {(one["sub"], *one["act"]) for one in acted} == {(newcomer, AGENT)}
    assert [one["time"] for one in acted] == sorted((one["time"] for one in acted), reverse=True)
    everything = bank.get("/records", own).json()["records"]
    assert {one["sub"] for one in everything} == {newcomer}
    assert [] in [one["act"] for one in everything]


def test_a_page_from_beyond_every_record_is_the_newest_one(bank: Bank) -> None:
    bank.get("/accounts")
    assert bank.get(f"/records?before={2**63 - 1}").json()["records"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "before=0", "before=9223372036854775808"])
def test_a_page_of_records_that_cannot_be_is_refused(bank: Bank, query: str) -> None:
    assert bank.get(f"/records?{query}").status_code == 422


def test_no_record_holds_a_token_a_memo_or_what_a_caller_put_into_an_address(
    bank: Bank, capsys: pytest.CaptureFixture[str]
) -> None:
    token = bank.issuer.delegation_token(f"{READ} account:transfer")
    bank.get("/accounts", token)
    bank.get(f"/accounts/{token}/balance", token)
    bank.get(f"/{token}", token)
    bank.get(f"/accounts?access_token={token}", token)
    bank.get(f"/accounts/4001-01/transactions?cursor={token}", token)
    bank.transfer("memo", token, memo="for the surgery")
    bank.order("memo-2", token, json={token: token})
    bank.order(token, token, json={})
    written = capsys.readouterr().out + repr(bank.ledger.records())
    assert all(part not in written for part in token.split("."))
    assert "surgery" not in written


def test_what_cannot_be_recorded_is_not_done(database_url: str, issuer: TestIssuer) -> None:
    with open_bank(database_url, issuer) as bank:
        before = bank.balance("4001-01")
        with bank.ledger.engine.begin() as db:
            db.execute(text("ALTER TABLE record RENAME TO lost"))
        for answer in (
            bank.transfer("unrecorded"),
            bank.get("/accounts"),
            bank.send("GET", "/accounts", None),
        ):
            assert answer.status_code == 503
            assert answer.headers["Content-Type"] == "application/problem+json"
        with bank.ledger.engine.begin() as db:
            db.execute(text("ALTER TABLE lost RENAME TO record"))
        assert bank.balance("4001-01") == before
        assert bank.transfer("unrecorded").status_code == 201


def test_the_error_log_holds_no_token_and_no_statement(
    tmp_path: Any, issuer: TestIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        with bank.ledger.engine.begin() as db:
            db.execute(text("ALTER TABLE transfer_order RENAME TO lost"))
        token = bank.issuer.delegation_token("account:transfer")
        assert bank.transfer("a-secret-key", token).status_code == 503
    assert "no such table" in caplog.text
    assert "INSERT" not in caplog.text
    assert all(secret not in caplog.text for secret in ("a-secret-key", CUSTOMER, *token.split(".")))
