"""The account API's ledger, read where it is kept, without the service's own code."""

import json
from dataclasses import dataclass
from typing import Final

from tests.stack.stack import Stack

_READ: Final = """
import json, os, sys
from pathlib import Path
from sqlalchemy import create_engine, text

url = os.environ.get("DATABASE_URL")
if not url:
    [file] = [path for path in Path(os.environ["DATA_DIR"]).iterdir() if path.suffix in {".db", ".sqlite3"}]
    url = f"sqlite:///file:{file.absolute()}?mode=ro&uri=true"
database = create_engine(url)
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
    printed = stack.run_python("account_api", _READ, memo)
    try:
        return Ledger(**json.loads(printed))
    except ValueError as error:
        raise AssertionError(f"the ledger's reader printed no JSON ({error}): {printed[:200]!r}") from None
