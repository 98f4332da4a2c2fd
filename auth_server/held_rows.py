"""What the exchanges of one transaction depend on, read for all of them at once, and locked.

Nothing of it changes until the transaction is over: whoever suspends an agent, disables a customer, withdraws
a grant or revokes a token waits, and ends what was issued meanwhile.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Column, Connection, Dialect, Select, bindparam, select

from auth_server.agent_tables import RegisteredAgent
from auth_server.clients import Agent
from auth_server.registered_agents import as_agent, known_names
from auth_server.tables import Base, Customer, DelegationGrant, IssuedToken
from delegation.prepared import Prepared, Row, among, rows_of_each

_AGENT, _CUSTOMER, _GRANT, _TOKEN = (
    Base.metadata.tables[table.__tablename__]
    for table in (RegisteredAgent, Customer, DelegationGrant, IssuedToken)
)
_AGENT_COLUMNS: Final = list(_AGENT.c)
_CUSTOMER_COLUMNS: Final = [_CUSTOMER.c.sub, _CUSTOMER.c.groups, _CUSTOMER.c.disabled_at]
_GRANT_COLUMNS: Final = [
    *(_GRANT.c.grant_id, _GRANT.c.sub, _GRANT.c.agent, _GRANT.c.scope),
    *(_GRANT.c.created_at, _GRANT.c.expires_at, _GRANT.c.max_transfer_minor),
]
_TOKEN_COLUMNS: Final = [_TOKEN.c.jti, _TOKEN.c.parent_jti, _TOKEN.c.revoked_at]


class _Statements:
    """The statements of one dialect; those that `skip` pass over what another transaction has locked."""

    def __init__(self, dialect: Dialect, *, skip: bool) -> None:
        def locking(columns: Sequence[Column[Any]], chosen: Select[Any], *, read: bool = True) -> Prepared:
            ordered = chosen.order_by(columns[0])  # the primary key, as `auth_server.lock_order` has it
            return Prepared(ordered.with_for_update(read=read, skip_locked=skip), columns)

        agents = select(*_AGENT_COLUMNS).where(among(_AGENT.c.agent_id, "agents", dialect))
        customers = select(*_CUSTOMER_COLUMNS).where(among(_CUSTOMER.c.sub, "subs", dialect))
        grants = (
            select(*_GRANT_COLUMNS)
            .where(among(_GRANT.c.sub, "subs", dialect), among(_GRANT.c.agent, "agents", dialect))
            .where(_GRANT.c.withdrawn_at.is_(None), _GRANT.c.expires_at > bindparam("now"))
        )
        parents = select(_TOKEN.c.parent_jti).where(among(_TOKEN.c.jti, "jtis", dialect))
        tokens = select(*_TOKEN_COLUMNS).where(among(_TOKEN.c.jti, "jtis", dialect))
        self.agents = locking(_AGENT_COLUMNS, agents)
        self.customers = locking(_CUSTOMER_COLUMNS, customers)
        self.grants = locking(_GRANT_COLUMNS, grants, read=False)
        self.parents = Prepared(parents, [_TOKEN.c.parent_jti])
        self.tokens = locking(_TOKEN_COLUMNS, tokens)


@lru_cache(maxsize=16)
def _statements(dialect: Dialect, *, skip: bool) -> _Statements:
    return _Statements(dialect, skip=skip)


@dataclass(frozen=True, slots=True)
class Names:
    """Whom and what one exchange is about: an agent, a customer, and its tokens by their `jti`.

    `exchanged` are those of the tokens that were issued for another.
    """

    agent: str
    sub: str | None
    jtis: tuple[str, ...]
    exchanged: tuple[str, ...] = ()


class HeldRows:
    """The rows behind some exchanges: table by table as `auth_server.lock_order` has it, by primary key.

    With `waits` False, rows that another transaction has locked are passed over; `lacks` tells so. SQLite has
    one writer at a time, and no locks of rows.
    """

    def __init__(self, connection: Connection, names: Sequence[Names], now: datetime, *, waits: bool) -> None:
        self._connection = connection
        self._skips = not waits and connection.dialect.name != "sqlite"
        self._statements = _statements(connection.dialect, skip=self._skips)
        agents = list({one.agent for one in names})
        subs = list({one.sub for one in names if one.sub})
        ancestors = self._ancestors({jti for one in names for jti in one.exchanged})
        jtis = ancestors.union(*(one.jtis for one in names))
        agents_held, customers, grants, tokens = rows_of_each(
            connection,
            (self._statements.agents, {"agents": agents}),
            (self._statements.customers, {"subs": subs}),
            (self._statements.grants, {"subs": subs, "agents": agents, "now": now}),
            (self._statements.tokens, {"jtis": list(jtis)}),
        )
        self._agents = {row.agent_id: as_agent(row) for row in agents_held}
        self._customers = {row.sub: row for row in customers}
        self._grants: dict[tuple[str, str], list[Row]] = {}
        for row in grants:
            self._grants.setdefault((row.sub, row.agent), []).append(row)
        self._tokens = {row.jti: row for row in tokens}

    def lacks(self, names: Names) -> bool:
        """Tell whether something that an exchange is about was not held, which may be another's just now."""
        if not self._skips:
            return False
        has_customer = names.sub is None or (
            names.sub in self._customers and (names.sub, names.agent) in self._grants
        )
        has_tokens = all(one in self._tokens for jti in names.jtis for one in self._line(jti))
        return not (names.agent in self._agents and has_customer and has_tokens)

    def agent(self, agent_id: str) -> Agent:
        """Return an agent, in whichever state."""
        return self._agents[agent_id]

    def customer(self, sub: str) -> Row | None:
        """Return a customer who is not disabled, with `sub` and `groups`, or None."""
        row = self._customers.get(sub)
        return row if row is not None and row.disabled_at is None else None

    def grant(self, sub: str, agent: str, now: datetime) -> Row | None:
        """Return what the customer allows the agent at this time, or None."""
        grants = [row for row in self._grants.get((sub, agent), ()) if row.expires_at > now]
        return max(grants, key=lambda row: row.created_at, default=None)

    def is_live(self, jti: str) -> bool:
        """Tell whether neither a token has been revoked nor one that it was exchanged for."""
        line = [self._tokens.get(one) for one in self._line(jti)]
        return all(row is not None and row.revoked_at is None for row in line)

    def known_names(self) -> set[str]:
        """Return every agent's identifier, and every audience at which one may act."""
        return known_names(self._connection)

    def _ancestors(self, jtis: Collection[str]) -> set[str]:
        """Return what these tokens were exchanged for, and what that was; none of it ever changes."""
        found: set[str] = set()
        while jtis:
            rows = self._statements.parents.rows(self._connection, {"jtis": list(jtis)})
            jtis = {row.parent_jti for row in rows if row.parent_jti is not None} - found
            found |= jtis
        return found

    def _line(self, jti: str | None) -> Iterator[str]:
        while jti is not None:
            yield jti
            row = self._tokens.get(jti)
            jti = row.parent_jti if row is not None else None
