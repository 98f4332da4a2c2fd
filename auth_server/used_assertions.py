"""Client assertions that were used: each is good once (RFC 7523 §3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from sqlalchemy import ARRAY, Connection, Dialect, String, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from auth_server.clients import Client
from auth_server.tables import Base, UsedAssertion
from delegation.database import UtcDateTime
from delegation.prepared import Prepared

_KEPT: Final = ("client_id", "jti_hash", "expires_at")


@dataclass(frozen=True, slots=True)
class Assertion:
    """A client assertion that is verified, and not spent yet."""

    client: Client
    jti_hash: str
    expires_at: datetime


def use_once(connection: Connection, assertions: Sequence[Assertion]) -> list[bool]:
    """Keep the `jti` of each; False for each that was used before, here or by one before it.

    They are spent with the requests' transaction, which is committed also when a request is refused.
    """
    keys = [(assertion.client.client_id, assertion.jti_hash) for assertion in assertions]
    ends = dict(zip(keys, (assertion.expires_at for assertion in assertions), strict=True))
    # By primary key, as `auth_server.lock_order` has it for several rows.
    rows = [(*key, ends[key]) for key in sorted(ends)]
    spend = _spending(connection.dialect)
    if connection.dialect.name == "sqlite":
        unused = set(spend.rows_for_each(connection, [dict(zip(_KEPT, row, strict=True)) for row in rows]))
    else:
        unused = set(spend.rows(connection, dict(zip(_KEPT, zip(*rows, strict=True), strict=True))))
    answer = []
    for key in keys:
        answer.append(key in unused)
        unused.discard(key)
    return answer


@lru_cache(maxsize=16)
def _spending(dialect: Dialect) -> Prepared:
    """Return what keeps a row on SQLite, and on PostgreSQL all at once, a list for each column."""
    table = Base.metadata.tables[UsedAssertion.__tablename__]
    key = [table.c.client_id, table.c.jti_hash]
    if dialect.name == "sqlite":
        one = sqlite.insert(table).on_conflict_do_nothing().returning(*key)
        return Prepared(one, key, _KEPT)
    lists = [
        func.unnest(bindparam(name, type_=ARRAY(UtcDateTime if name == "expires_at" else String)))
        for name in _KEPT
    ]
    several = postgresql.insert(table).from_select(_KEPT, select(*lists))
    return Prepared(several.on_conflict_do_nothing().returning(*key), key)
