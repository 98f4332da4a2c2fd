"""Which operations are answered past FastAPI's own way of doing it, and that nothing is lost by that."""

from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Header, Path, Query
from pydantic import BaseModel

from account_api.access import needs
from account_api.recorded_route import RecordedRoute
from account_api.routes import router
from tests.account_api.banks import READ, Bank


def from_path(account_id: str) -> None: ...
def from_query(account_id: Annotated[str, Query()]) -> None: ...
def from_header(account_id: Annotated[str, Header()]) -> None: ...
def from_body(account_id: BaseModel) -> None: ...
def from_path_as_number(account_id: int) -> None: ...
def from_path_with_bounds(account_id: Annotated[str, Path(max_length=7)]) -> None: ...
def from_path_with_pattern(account_id: Annotated[str, Path(pattern="[0-9]")]) -> None: ...


@pytest.mark.parametrize(
    ("endpoint", "is_free_text"),
    [
        (from_path, True),
        (from_query, False),
        (from_header, False),
        (from_body, False),
        (from_path_as_number, False),
        (from_path_with_bounds, False),
        (from_path_with_pattern, False),
    ],
)
def test_what_has_to_be_validated_is_left_to_fastapi(endpoint: Any, *, is_free_text: bool) -> None:
    path = "/{account_id}" if "path" in endpoint.__name__ else "/"
    route = RecordedRoute(path, endpoint, openapi_extra=needs("account:read_balance"))
    assert route.takes_path_alone is is_free_text


def test_of_the_operations_two_take_their_path_alone() -> None:
    routes = [route for route in router.routes if isinstance(route, RecordedRoute)]
    assert [route.operation for route in routes if route.takes_path_alone] == [
        "account.list",
        "account.read_balance",
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/accounts", "/accounts/4001-01/balance", "/transfers/"])
def test_another_method_or_address_is_refused_and_recorded(bank: Bank, method: str, path: str) -> None:
    answer = bank.send(method, path, bank.issuer.delegation_token(READ))
    assert answer.status_code == (404 if path == "/transfers/" else 405)
    assert bank.ledger.records()[-1].decision_id == answer.headers["Record-Id"]


@pytest.mark.parametrize("path", ["/accounts", "/accounts/4001-01/balance", "/records"])
def test_when_not_even_a_refusal_can_be_recorded_the_answer_tells_nothing_but_that(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def fail(*_arguments: Any) -> None:
        raise RuntimeError("nobody foresaw this")

    with monkeypatch.context() as broken:
        broken.setattr("account_api.call.append_records", fail)
        # A connection of its own: uvicorn closes it after such a fault.
        authorization = {"Authorization": f"Bearer {bank.issuer.app_token(READ)}"}
        answer = httpx2.get(f"{bank.url}{path}", headers=authorization)
    assert (answer.status_code, answer.json()["title"]) == (500, "Internal error")
    assert "foresaw" not in answer.text
    assert bank.get(path, bank.issuer.app_token(READ)).status_code == 200
