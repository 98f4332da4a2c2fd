"""The account API's ledger, read where it is kept, with the service's own database settings."""

import json
from dataclasses import dataclass
from typing import Final

from tests.e2e.stack import Stack

_READ: Final = """
import json, sys
from sqlalchemy import text
from account_api.database import engine
from account_api.settings import Settings

settings = Settings()
database = engine(
    settings.database_url.get_secret_value(), settings.data_dir, settings.database_timeout_seconds
)
with database.connect() as db:
    total = db.scalar(text("SELECT sum(amount_minor) FROM entry"))
    unbalanced = db.scalars(
        text("SELECT transaction_id FROM entry GROUP BY transaction_id HAVING sum(amount_minor) <> 0")
    ).all()
    booked = db.execute(
        text("SELECT description, count(DISTINCT transaction_id) FROM entry"
             " WHERE description LIKE :memo GROUP BY description"),
        {"memo": sys.argv[1] + "%"},
    ).all()
print(json.dumps({"total": int(total), "unbalanced": list(unbalanced), "booked": dict(map(tuple, booked))}))
"""


@dataclass(frozen=True)
class Ledger:
    """What the ledger says: `booked` counts the transactions under each memo that was asked for."""

    total: int
    unbalanced: list[str]
    booked: dict[str, int]


def ledger(stack: Stack, memo: str) -> Ledger:
    """Read the ledger, counting the transactions whose memo begins with `memo`."""
    return Ledger(**json.loads(stack.run_python("account_api", _READ, memo)))
