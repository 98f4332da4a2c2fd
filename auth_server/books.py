"""This server's own records: their chain, who signs it, how long they are kept."""

from datetime import datetime

from sqlalchemy import Engine

from auth_server.checkpoint_keys import CheckpointKeys
from auth_server.context import Context
from auth_server.settings import Settings
from auth_server.signing_keys import SigningKeys
from auth_server.tables import RECORD
from delegation.audit_command import Audited, CannotTell
from delegation.record_chain import Head
from delegation.record_checkpoint import When
from delegation.record_keeping import Keeping
from delegation.record_retention import Books

SERVICE = "auth_server"


def checkpoint_keys(settings: Settings, keys: SigningKeys) -> CheckpointKeys:
    """Return the keys that sign checkpoints, this server's own and those of the other services."""
    return CheckpointKeys(settings.issuer, keys, settings.data_dir / "checkpoint-keys")


def books(engine: Engine, keys: CheckpointKeys) -> Books:
    """Return the records as what keeps, prunes and verifies them takes them."""

    async def sign(head: Head, is_cut: bool, now: datetime) -> str:  # noqa: FBT001 - as `Sign` has it
        return keys.sign(SERVICE, head, now, is_cut=is_cut)

    return Books(
        transaction=engine.begin, table=RECORD, service=SERVICE, step=1, signed_as=SERVICE, sign=sign
    )


def audited(settings: Settings) -> Audited:
    """Return the records that the settings lead to, for the command line beside the running server."""

    def keys() -> CheckpointKeys:
        folder = settings.data_dir / "keys"
        if not any(folder.glob("*.pem")):
            raise CannotTell(f"there is no key in {folder}: set DATA_DIR to the running server's")
        return checkpoint_keys(settings, SigningKeys(folder))

    return Audited(
        database_url=settings.database_url,
        sqlite_file=settings.data_dir / "auth_server.db",
        books=lambda engine, _http: books(engine, keys()),
        own_keys=lambda: keys().published(),
        checkpoint_seconds=settings.checkpoint_seconds,
    )


def keeping(context: Context) -> Keeping:
    """Return what the running server does for its records."""
    settings = context.settings
    return Keeping(
        books=books(context.engine, context.checkpoint_keys),
        clock=context.clock,
        record_days=settings.record_days,
        checkpoints=When(records=settings.checkpoint_records, seconds=settings.checkpoint_seconds),
    )
