"""An API the usual way: FastAPI and PyJWT, with the balances in memory. It verifies the token once more."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, HTTPException

from benchmarks.contenders.usual_gateway import Claims
from benchmarks.gateway_contender import Running
from benchmarks.service import running
from tests.free_ports import free_ports
from tests.issuer import CUSTOMER

ACCOUNT: Final = "4001-01"
_BALANCES: Final = {(CUSTOMER, ACCOUNT): 258_437}

app = FastAPI()


@app.get("/accounts/{account_id}/balance")
async def _balance(account_id: str, claims: Claims) -> dict[str, Any]:
    balance = _BALANCES.get((claims["sub"], account_id))
    if balance is None or "account:read_balance" not in claims["scope"].split():
        raise HTTPException(404)
    return {"account_id": account_id, "available": {"amount_minor": balance, "currency": "EUR"}}


@contextmanager
def serving(folder: Path, cores: list[int], settings: Mapping[str, str]) -> Iterator[Running]:
    """Run it; `settings` are ISSUER and JWKS_URI."""
    [port] = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", f"{__name__}:app", "--port", str(port), "--no-access-log"]
    with running([*command, "--log-level", "warning"], folder, port, cores, settings) as pid:
        yield Running(port, pid)
