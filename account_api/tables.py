"""What the service keeps. A balance is nowhere in here: it is the sum of an account's entries."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

from delegation.database import UtcDateTime
from delegation.record_table import record_table

metadata: Final = MetaData()

customer: Final = Table(
    "customer",
    metadata,
    Column("sub", String(255), primary_key=True),
    Column("name", String(70), nullable=False),
)

account: Final = Table(
    "account",
    metadata,
    Column("id", String(16), primary_key=True),
    # NULL: the bank's own account, which no customer's query can match.
    Column("owner", ForeignKey("customer.sub"), index=True),
    Column("name", String(70), nullable=False),
    Column("type", String(16), nullable=False),
    Column("currency", String(3), nullable=False),
    # How far below zero the balance may go, in minor units. NULL: no limit, for the bank's own accounts.
    Column("overdraft_limit_minor", BigInteger),
    CheckConstraint("overdraft_limit_minor >= 0"),
)

entry: Final = Table(
    "entry",
    metadata,
    # Grows in booking order within an account, because the account is locked while it is booked on.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("transaction_id", String(36), nullable=False),
    Column("account_id", ForeignKey("account.id"), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("booked_at", UtcDateTime, nullable=False),
    Column("description", String(140), nullable=False),
    Column("counterparty", String(70), nullable=False),
    Column("category", String(32), nullable=False),
    CheckConstraint("amount_minor <> 0"),
    Index("entry_of_account", "account_id", "id", "amount_minor"),
    sqlite_autoincrement=True,
)

payee: Final = Table(
    "payee",
    metadata,
    Column("owner", ForeignKey("customer.sub"), primary_key=True),
    Column("name", String(70), primary_key=True),
    Column("account_id", ForeignKey("account.id"), nullable=False),
)

transfer_order: Final = Table(
    "transfer_order",
    metadata,
    Column("sub", String(512), primary_key=True),
    Column("client_id", String(512), primary_key=True),
    Column("actor", String(512), primary_key=True),
    Column("idempotency_key", String(128), primary_key=True),
    Column("request_sha256", String(64), nullable=False),
    # NULL only inside the transaction that executes the order.
    Column("status", Integer),
    Column("body", JSON),
)

record: Final = record_table(metadata)
