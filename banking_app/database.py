"""The app's own tables, in SQLite. Keys are hashes; what belongs to a customer is sealed."""

import hashlib
import secrets
from pathlib import Path
from typing import Final

from sqlalchemy import (
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection

METADATA: Final = MetaData()

SIGN_ON_ATTEMPT: Final = Table(
    "sign_on_attempt",
    METADATA,
    Column("state_hash", String(64), primary_key=True),
    Column("browser_hash", String(64), nullable=False, index=True),
    Column("expires_at", Integer, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
)

SESSION: Final = Table(
    "session",
    METADATA,
    Column("id_hash", String(64), primary_key=True),
    Column("created_at", Integer, nullable=False),
    Column("used_at", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

CONVERSATION: Final = Table(
    "conversation",
    METADATA,
    Column("sub_hash", String(64), primary_key=True),
    Column("used_at", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)


def open_database(data_dir: Path) -> Engine:
    """Open the database in `data_dir`, making the folder (mode 0700) and the tables if need be."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(f"sqlite:///{data_dir / 'banking_app.sqlite'}")
    event.listen(engine, "connect", _set_pragmas)
    METADATA.create_all(engine)
    return engine


def check(engine: Engine) -> None:
    """Ask the database for an answer; raises sqlalchemy.exc.SQLAlchemyError when it has none."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def new_secret() -> str:
    """Return 256 random bits for a cookie or a state."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Return the SHA-256 under which the store finds something that it cannot give away."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _set_pragmas(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    # secure_delete: what logout removes is overwritten on disk, not only unlinked from the tree.
    for pragma in ("journal_mode=WAL", "busy_timeout=5000", "synchronous=NORMAL", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
