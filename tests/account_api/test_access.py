"""Shows who may call what: each operation needs its one scope, and what is not yours is not there."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from delegation.signing_key import SigningKey
from tests.account_api.banks import Bank, open_bank, sqlite_url
from tests.issuer import TestIssuer

OPERATIONS = {
    "account:read_balance": [("GET", "/accounts"), ("GET", "/accounts/4001-01/balance")],
    "account:read_transactions": [("GET", "/accounts/4001-01/transactions")],
    "account:transfer": [("POST", "/transfers")],
}
CASES = [(needed, *call) for needed, calls in OPERATIONS.items() for call in calls]
TRACE = "/records?trace_id=" + "a" * 32


def call(bank: Bank, method: str, path: str, token: str, key: str = "access") -> httpx2.Response:
    return bank.get(path, token) if method == "GET" else bank.transfer(key, token)


@pytest.mark.parametrize(("needed", "method", "path"), CASES)
@pytest.mark.parametrize("held", OPERATIONS)
@pytest.mark.parametrize("kind", ["delegation_token", "app_token"])
def test_an_operation_opens_to_its_own_scope_and_to_no_other(
    bank: Bank, needed: str, method: str, path: str, held: str, kind: str
) -> None:
    answer = call(bank, method, path, getattr(bank.issuer, kind)(held), key=f"matrix-{kind}")
    if held == needed:
        assert answer.status_code in {200, 201}
        return
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer ")
    assert 'error="insufficient_scope"' in challenge
    assert f'scope="{needed}"' in challenge


BAD_TOKENS: dict[str, Callable[[TestIssuer], str]] = {
    "expired": lambda issuer: issuer.app_token(life=-1),
    "for another audience": lambda issuer: issuer.app_token(aud="https://other.example.com"),
    "of another issuer": lambda issuer: issuer.app_token(iss="https://evil.example.com"),
    "a subject token": lambda issuer: issuer.subject_token("account:read_balance"),
    "an ID token": lambda issuer: issuer.app_token(typ="JWT"),
    "signed by another key": lambda issuer: issuer.app_token(key=SigningKey.generate()),
    "without jti": lambda issuer: issuer.app_token(jti=None),
    "with act that is no object": lambda issuer: issuer.delegation_token("account:read_balance", act="me"),
    "no JWT": lambda issuer: "not-a-token",
}


@pytest.mark.parametrize("bad", BAD_TOKENS)
def test_a_bad_token_is_refused_with_401_invalid_token(bank: Bank, bad: str) -> None:
    answer = bank.get("/accounts", BAD_TOKENS[bad](bank.issuer))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert "resource_metadata=" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}])
def test_no_token_is_answered_with_401_and_without_an_error_code(bank: Bank, headers: dict[str, str]) -> None:
    answer = bank.send("GET", "/accounts", None, headers=headers)
    assert answer.status_code == 401
    assert "error=" not in answer.headers["WWW-Authenticate"]
    assert 'scope="account:read_balance"' in answer.headers["WWW-Authenticate"]


def test_a_token_in_the_address_is_refused_with_400(bank: Bank) -> None:
    token = bank.issuer.app_token()
    for bearer in (None, token):
        answer = bank.send("GET", "/accounts", bearer, params={"access_token": token})
        assert answer.status_code == 400
        assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]


def test_two_tokens_in_one_request_are_refused_with_400(bank: Bank) -> None:
    token = f"Bearer {bank.issuer.app_token()}"
    answer = bank.http.get("/accounts", headers=[("Authorization", token), ("Authorization", token)])
    assert answer.status_code == 400


def test_a_token_without_actor_is_refused_unless_it_is_the_banks_own_apps(bank: Bank) -> None:
    answer = bank.get("/accounts", bank.issuer.app_token(client_id="https://other-app.example.com"))
    assert answer.status_code == 403
    assert answer.json()["type"].endswith("/client-not-allowed")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_records_are_for_the_customers_app_and_never_for_an_agent(bank: Bank) -> None:
    assert bank.get(TRACE, bank.issuer.app_token()).status_code == 200
    every_scope = " ".join(OPERATIONS)
    assert bank.get(TRACE, bank.issuer.delegation_token(every_scope)).status_code == 403


def comparable(answer: httpx2.Response) -> tuple[int, bytes, dict[str, str]]:
    headers = {n: v for n, v in answer.headers.items() if n not in {"date", "record-id"}}
    return answer.status_code, answer.content, headers


@pytest.mark.parametrize("path", ["/accounts/{}/balance", "/accounts/{}/transactions"])
def test_anothers_account_and_no_account_look_the_same(bank: Bank, path: str) -> None:
    answers = [
        bank.get(path.format(account_id))
        for account_id in ("4002-01", "9999-01", "0000-01", "nonsense", "4001-01'--")
    ]
    assert answers[0].status_code == 404
    assert all(comparable(answer) == comparable(answers[0]) for answer in answers)


def test_paying_from_anothers_account_and_from_no_account_look_the_same(bank: Bank) -> None:
    anothers = bank.transfer("from-anothers", from_account="4002-01")
    nobodys = bank.transfer("from-nobodys", from_account="9999-01")
    assert anothers.status_code == 404
    assert comparable(anothers) == comparable(nobodys)


def test_paying_to_anothers_account_id_and_to_no_account_look_the_same(bank: Bank) -> None:
    anothers, nobodys = bank.transfer("to-anothers", to="4002-01"), bank.transfer("to-nobodys", to="9999-01")
    assert anothers.status_code == 422
    assert comparable(anothers) == comparable(nobodys)


def test_the_subject_of_the_token_decides_whose_accounts_they_are(bank: Bank) -> None:
    def accounts(sub: str) -> list[str]:
        answer = bank.get("/accounts", bank.issuer.delegation_token("account:read_balance", sub=sub))
        return [account["account_id"] for account in answer.json()["accounts"]]

    assert accounts("customer@example.com") == ["4001-01", "4001-02", "4001-03"]
    assert accounts("maria@example.com") == ["4002-01", "4002-02", "4002-03"]
    assert accounts("stranger@example.com") == []


def test_without_the_issuers_keys_nothing_is_allowed(tmp_path: Any) -> None:
    issuer = TestIssuer()
    issuer.jwks_uri = "http://127.0.0.1:9/jwks"  # nothing listens at the discard port
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        answer = bank.get("/accounts")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert set(bank.get("/readyz").json()["lacking"]) == {"keys"}


def test_the_metadata_names_the_address_it_was_found_at_its_issuer_and_its_scopes(bank: Bank) -> None:
    challenge = bank.http.get("/accounts").headers["WWW-Authenticate"]
    document = bank.get("/.well-known/oauth-protected-resource").json()
    address = f"{document['resource']}/.well-known/oauth-protected-resource"
    assert f'resource_metadata="{address}"' in challenge
    assert document["resource"] == "http://localhost:8505"
    assert document["authorization_servers"] == [bank.issuer.issuer]
    assert document["scopes_supported"] == sorted([*OPERATIONS, "audit:read"])
    assert document["authorization_details_types_supported"] == ["account_transfer"]
