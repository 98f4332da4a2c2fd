"""A service of the tests' own that shows its records to auditors, over real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.issuer import ACCOUNT_API, AGENT, CUSTOMER
from tests.serving import serve

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class AuditService:
    """Answers `GET /audit` as the services do: filters, and pages by position."""

    def __init__(self) -> None:
        self.url = ""
        self.records: list[dict[str, Any]] = []
        self.answer: Response | None = None
        self.asked: list[dict[str, str]] = []
        self.tokens: list[str] = []

    @contextmanager
    def serving(self) -> Iterator["AuditService"]:
        """Serve the records."""
        with serve(Starlette(routes=[Route("/audit", self._audit)])) as url:
            self.url = f"{url}/audit"
            yield self

    def add(self, number: int, minute: float = 0, **changed: Any) -> dict[str, Any]:
        """Add a record of trace `number`, so many minutes after the start; every field can be changed."""
        position = len(self.records) + 1
        record = {
            "service": "gateway",
            "step": 5,
            "decision": "permit",
            "reason": "policy allows this actor this operation",
            "operation": "account.read_balance",
            "resource": "/accounts/4001-01/balance",
            "sub": CUSTOMER,
            "act": [AGENT],
            "client_id": AGENT,
            "aud": [ACCOUNT_API],
            "scope": "account:read_balance",
            "jti": f"jti-{number}",
            "decision_id": f"{id(self) % 10**8:016x}{position:016x}",
            "trace_id": f"{number:032x}",
            "time": (START + timedelta(minutes=minute)).isoformat(timespec="microseconds"),
            "position": position,
            "hash": "h" * 64,
        } | changed
        self.records.append(record)
        return record

    def _audit(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        if self.answer is not None:
            return self.answer
        limit, before = int(asked["limit"]), int(asked.get("before", 2**62))
        assert 1 <= limit <= 1000
        assert asked["order"] == "newest"
        found = [one for one in reversed(self.records) if one["position"] < before and _fits(one, asked)]
        more = found[limit - 1]["position"] if len(found) >= limit else None
        return JSONResponse({"records": found[:limit], "next": more})


def _fits(record: dict[str, Any], asked: dict[str, str]) -> bool:
    equal = all(record[name] == asked[name] for name in asked.keys() & record.keys() - {"position"})
    agent = asked.get("agent")
    of_agent = agent is None or agent in record["act"] or agent == record["client_id"]
    time = datetime.fromisoformat(record["time"])
    since, until = asked.get("from"), asked.get("to")
    after = since is None or time >= datetime.fromisoformat(since)
    return equal and of_agent and after and (until is None or time < datetime.fromisoformat(until))
