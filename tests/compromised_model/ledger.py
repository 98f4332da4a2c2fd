"""The bank's ledger as it really is, beside the service: read whole, written to, and put back."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, update

from account_api import ledger, tables
from account_api.app import DATABASE_FILE
from account_api.seed import CLEARING_ACCOUNT, CURRENCY
from delegation.clock import utc_now
from delegation.database import open_database

_LIMIT_MINOR: Final = 50_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is on everybody's accounts, entry by entry, and who holds them and may be paid."""

    entries: Sequence[Row[Any]]
    accounts: Sequence[Row[Any]]
    payees: Sequence[Row[Any]]

    def owner_of(self, account_id: str) -> str | None:
        """Return whose account it is; None for the bank's own, and for none."""
        return next((one.owner for one in self.accounts if one.id == account_id), None)


class Ledger:
    """The account API's database."""

    def __init__(self, data_dir: Path) -> None:
        self._engine = open_database("", data_dir / DATABASE_FILE)
        self._names: dict[str, str] = {}
        self._renamed: set[str] = set()
        self._last_entry = 0

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def open_household(self, sub: str, name: str, number: str, balance_minor: int) -> None:
        """Make a customer with a checking and a savings account, half of the money on each."""
        kinds = (("01", "Checking", "checking"), ("02", "Savings", "savings"))
        with self._engine.begin() as db:
            db.execute(insert(tables.customer), [{"sub": sub, "name": name}])
            db.execute(
                insert(tables.account),
                [
                    {
                        "id": f"{number}-{suffix}",
                        "owner": sub,
                        "name": title,
                        "type": kind,
                        "currency": CURRENCY,
                        "overdraft_limit_minor": _LIMIT_MINOR,
                    }
                    for suffix, title, kind in kinds
                ],
            )
        for suffix, _, _ in kinds:
            self.arrives(f"{number}-{suffix}", "Opening", balance_minor // 2)

    def save_payee(self, sub: str, name: str, account_id: str) -> None:
        """Let a customer's transfers go to somebody."""
        row = {"owner": sub, "name": name, "account_id": account_id}
        with self._engine.begin() as db:
            db.execute(insert(tables.payee), [row])

    def arrives(self, account_id: str, text: str, amount_minor: int = 1) -> None:
        """Book what comes from another bank, whose customers may write what ours may not."""
        both = ((account_id, amount_minor), (CLEARING_ACCOUNT, -amount_minor))
        entries = tuple(
            ledger.Entry(
                account_id=account,
                amount_minor=amount,
                counterparty="Other Bank",
                description=text,
                category="transfer",
            )
            for account, amount in both
        )
        with self._engine.begin() as db:
            ledger.post(db, [ledger.Transaction(str(uuid.uuid4()), utc_now(), entries)])

    def rename(self, account_id: str, name: str) -> None:
        """Give an account a name."""
        self._renamed.add(account_id)
        with self._engine.begin() as db:
            db.execute(update(tables.account).where(tables.account.c.id == account_id).values(name=name))

    def keep(self) -> None:
        """Take the ledger as it is for its first state."""
        with self._engine.connect() as db:
            self._names = {row.id: row.name for row in db.execute(select(tables.account))}
            self._last_entry = max(db.scalars(select(tables.entry.c.id)))

    def put_back(self) -> None:
        """Bring the ledger back to its first state, so that no case sees what another left behind."""
        with self._engine.begin() as db:
            db.execute(delete(tables.entry).where(tables.entry.c.id > self._last_entry))
        for account_id in list(self._renamed):
            self.rename(account_id, self._names[account_id])
        self._renamed.clear()

    def snapshot(self) -> Snapshot:
        """Return what is there now."""
        with self._engine.connect() as db:
            return Snapshot(
                db.exec_driver_sql("SELECT * FROM entry ORDER BY id").all(),  # as it stands there, unread
                db.execute(select(tables.account).order_by(tables.account.c.id)).all(),
                db.execute(select(tables.payee).order_by(tables.payee.c.owner, tables.payee.c.name)).all(),
            )
