"""What a gateway stands in, and what is measured as one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.issuer import AGENT

BALANCE: Final = "/accounts/acc-1/balance"
"""What is called, unless something else is said."""
IMPORTS: Final = "/imports"
"""Where bodies are sent to."""

CLEARING_ACCOUNT: Final = "0000-01"
"""What the condition keeps the caller from."""

Operations = dict[str, dict[str, Any]]


def operations(count: int = 5) -> Operations:
    """Return so many operations, as a policy of ours writes them; the one that is called has a condition."""
    found: Operations = {
        "account.read_balance": {
            "method": "GET",
            "path": "/accounts/{account_id}/balance",
            "scope": "account:read_balance",
            "arguments": {"account_id": {"in": "path"}},
            "conditions": [
                {
                    "require": f"args.account_id != '{CLEARING_ACCOUNT}'",
                    "otherwise": "The clearing account is no customer's.",
                }
            ],
        },
        "account.list": {"method": "GET", "path": "/accounts", "scope": "account:read_balance"},
        "account.read_transactions": {
            "method": "GET",
            "path": "/accounts/{account_id}/transactions",
            "scope": "account:read_transactions",
        },
        "account.import": {"method": "POST", "path": IMPORTS, "scope": "account:read_balance"},
        "account.transfer": {"method": "POST", "path": "/transfers", "scope": "account:transfer"},
    }
    for number in range(len(found), count):
        found[f"account.more_{number}"] = {
            "method": "GET",
            "path": f"/accounts/{{account_id}}/more-{number}",
            "scope": "account:read_balance",
        }
    return {name: operation | {"actors": [AGENT]} for name, operation in found.items()}


@dataclass(frozen=True)
class Place:
    """Where a gateway runs: the parties around it, a folder of its own, and what it may use."""

    issuer: str
    issuer_url: str
    """Below it are its `/jwks`, `/token` and `/events`."""
    upstream_port: int
    folder: Path
    operations: Operations
    cores: list[int]
    workers: int = 1


@dataclass(frozen=True)
class Running:
    """A server that runs: where it listens, and its process."""

    port: int
    pid: int


@dataclass(frozen=True)
class Gateway:
    """A contender: its name in tables, and how it is started for the length of a block."""

    name: str
    start: Callable[[Place], AbstractContextManager[Running]]
    hears_of_ended_tokens: bool = False
    has_conditions: bool = False
