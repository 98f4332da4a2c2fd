"""A token that was verified before is not verified again, and lives not a moment longer than any other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delegation import verification
from delegation.signing_key import SigningKey
from tests.account_api.banks import READ, Bank, open_bank, sqlite_url
from tests.clock import SetClock
from tests.issuer import TestIssuer

PATH = "/accounts/4001-01/balance"


@pytest.fixture
def own_bank(tmp_path: Path) -> Iterator[Bank]:
    """A bank whose clock, and whose issuer's keys, the test changes."""
    clock = SetClock()
    with (
        TestIssuer(clock=clock).serving() as issuer,
        open_bank(sqlite_url(tmp_path), issuer, clock) as opened,
    ):
        yield opened


@pytest.fixture
def good(own_bank: Bank) -> str:
    """A token that has been good for a call."""
    token = own_bank.issuer.delegation_token(READ)
    assert own_bank.get(PATH, token).status_code == 200
    return token


def test_a_signature_is_verified_once(own_bank: Bank, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    real = verification.signed_claims

    def noted(encoded: str, *arguments: Any) -> dict[str, Any]:
        verified.append(encoded)
        return real(encoded, *arguments)

    monkeypatch.setattr(verification, "signed_claims", noted)
    another = own_bank.issuer.delegation_token(READ)
    for token in (good, another, good, another):
        assert own_bank.get("/accounts", token).status_code == 200
    assert verified == [another]


def test_it_does_not_outlive_the_token(own_bank: Bank, good: str) -> None:
    own_bank.clock.forward(seconds=299)
    assert own_bank.get(PATH, good).status_code == 200
    own_bank.clock.forward(seconds=1)
    answer = own_bank.get(PATH, good)
    assert (answer.status_code, answer.json()["detail"]) == (401, "The token has expired.")


def test_it_does_not_outlive_the_key_that_signed_it(own_bank: Bank) -> None:
    token = own_bank.issuer.delegation_token(READ, life=900)
    assert own_bank.get(PATH, token).status_code == 200
    own_bank.issuer.keys = [SigningKey.generate()]
    own_bank.clock.forward(minutes=6)
    assert own_bank.get(PATH, token).status_code == 401


def test_each_call_needs_its_own_scope_and_account(own_bank: Bank, good: str) -> None:
    before = own_bank.balance("4001-01")
    assert own_bank.transfer("remembered", good).status_code == 403
    assert own_bank.get("/accounts/4002-01/balance", good).status_code == 404
    assert own_bank.balance("4001-01") == before


def test_each_call_is_recorded(own_bank: Bank, good: str) -> None:
    ids = [own_bank.get(PATH, good).headers["Record-Id"] for _ in range(2)]
    assert [record.decision_id for record in own_bank.ledger.records()][-2:] == ids
