"""One query finds what an agent did for a customer, and exports it so that no cell becomes a formula."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from delegation.database import open_database
from delegation.record_export import COLUMNS, as_csv, as_json_lines
from delegation.record_query import Page, Question, answers
from delegation.record_table import append_records
from tests.clock import NOON
from tests.delegation.records import TABLE, make_tables, record
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]
AGENT = "https://bank-agent.example.com"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    url = ""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    opened = open_database(url, tmp_path_factory.mktemp("query") / "test.db")
    make_tables(opened)
    with opened.begin() as connection:
        varied: tuple[dict[str, Any], ...] = (
            {},
            {"sub": "maria@example.com", "jti": "one", "trace_id": "1" * 32},
            {"act": (), "client_id": AGENT, "decision": "deny"},
            {"act": (f'x"{AGENT}"', f"{AGENT}/other"), "operation": "account.transfer"},
            {"act": (), "sub": None},
        )
        append_records(connection, TABLE, [record(n, **changes) for n, changes in enumerate(varied, 1)])
    yield opened
    opened.dispose()


def found(engine: Engine, question: Question, **page: Any) -> list[int]:
    with engine.begin() as connection:
        return [row["position"] for row in answers(connection, TABLE, question, Page(**page))]


@pytest.mark.parametrize(
    ("question", "positions"),
    [
        (Question(), [1, 2, 3, 4, 5]),
        (Question(sub="maria@example.com"), [2]),
        (Question(agent=AGENT), [1, 2, 3]),
        (Question(agent="https://outer.example.com"), [1, 2]),
        (Question(agent=f'x"{AGENT}"'), [4]),
        (Question(agent="%"), []),
        (Question(operation="account.transfer"), [4]),
        (Question(decision="deny"), [3]),
        (Question(since=NOON + timedelta(days=4)), [4, 5]),
        (Question(until=NOON + timedelta(days=4)), [1, 2, 3]),
        (Question(trace_id="1" * 32, jti="one", agent=AGENT), [2]),
        (Question(sub="maria@example.com", decision="deny"), []),
    ],
)
def test_each_condition_narrows(engine: Engine, question: Question, positions: list[int]) -> None:
    assert found(engine, question) == positions


def test_answers_come_in_pages_by_position_from_either_end(engine: Engine) -> None:
    everything = Question()
    assert found(engine, everything, limit=2) == [1, 2]
    assert found(engine, everything, limit=2, after=2) == [3, 4]
    assert found(engine, everything, limit=2, newest_first=True) == [5, 4]
    assert found(engine, everything, limit=2, newest_first=True, before=4) == [3, 2]


def test_an_answer_is_the_whole_record_with_its_place_in_the_chain(engine: Engine) -> None:
    with engine.begin() as connection:
        [row] = answers(connection, TABLE, Question(jti="one"), Page())
    assert set(row) == set(COLUMNS)
    assert row["act"] == ["https://outer.example.com", AGENT]
    assert json.loads(as_json_lines([row])) == row


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_begins_as_a_formula_does(text: str) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv([{"sub": text, "act": [text, "b"], "position": 3}]))))
    assert rows[0]["sub"] == f"'{text}"
    assert rows[0]["act"] == f"'{text} b"
    assert rows[0]["position"] == "3"
    assert rows[0]["jti"] == ""
