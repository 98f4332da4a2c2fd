"""What the exchanges of one transaction depend on, read for all of them at once, and locked.

Nothing of it changes until the transaction is over: whoever suspends an agent, disables a customer, withdraws
a grant or revokes a token waits, and ends what was issued meanwhile.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, bindparam, select

from auth_server.agent_tables import RegisteredAgent
from auth_server.clients import Agent
from auth_server.registered_agents import as_agent
from auth_server.tables import Base, Customer, DelegationGrant, IssuedToken

_AGENT, _CUSTOMER, _GRANT, _TOKEN = (
    Base.metadata.tables[table.__tablename__]
    for table in (RegisteredAgent, Customer, DelegationGrant, IssuedToken)
)
_Locking = dict[bool, Select[Any]]


def _locking(chosen: Select[Any], *, read: bool = True) -> _Locking:
    """Return a statement that locks what it chooses, by whether it passes over what another has locked."""
    return {skips: chosen.with_for_update(read=read, skip_locked=skips) for skips in (False, True)}


def _among(column: Column[Any], name: str) -> ColumnElement[bool]:
    return column.in_(bindparam(name, expanding=True))


# Made once: to make them takes longer than to run them.
_AGENTS: Final = _locking(
    select(_AGENT).where(_among(_AGENT.c.agent_id, "agents")).order_by(_AGENT.c.agent_id)
)
_CUSTOMERS: Final = _locking(
    select(_CUSTOMER.c.sub, _CUSTOMER.c.groups, _CUSTOMER.c.disabled_at)
    .where(_among(_CUSTOMER.c.sub, "subs"))
    .order_by(_CUSTOMER.c.sub)
)
_GRANTS: Final = _locking(
    select(_GRANT)
    .where(_among(_GRANT.c.sub, "subs"), _among(_GRANT.c.agent, "agents"))
    .where(_GRANT.c.withdrawn_at.is_(None), _GRANT.c.expires_at > bindparam("now"))
    .order_by(_GRANT.c.grant_id),
    read=False,
)
_PARENTS: Final = select(_TOKEN.c.parent_jti).where(_among(_TOKEN.c.jti, "jtis"))
_TOKENS: Final = _locking(
    select(_TOKEN.c.jti, _TOKEN.c.parent_jti, _TOKEN.c.revoked_at)
    .where(_among(_TOKEN.c.jti, "jtis"))
    .order_by(_TOKEN.c.jti)
)


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
        agents = list({one.agent for one in names})
        subs = list({one.sub for one in names if one.sub})
        self._agents = {row.agent_id: as_agent(row) for row in self._hold(_AGENTS, agents=agents)}
        self._customers = {row.sub: row for row in self._hold(_CUSTOMERS, subs=subs)}
        self._grants: dict[tuple[str, str], list[Row[Any]]] = {}
        for row in self._hold(_GRANTS, subs=subs, agents=agents, now=now):
            self._grants.setdefault((row.sub, row.agent), []).append(row)
        ancestors = self._ancestors({jti for one in names for jti in one.exchanged})
        jtis = ancestors.union(*(one.jtis for one in names))
        self._tokens = {row.jti: row for row in self._hold(_TOKENS, jtis=list(jtis))}

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

    def customer(self, sub: str) -> Row[Any] | None:
        """Return a customer who is not disabled, with `sub` and `groups`, or None."""
        row = self._customers.get(sub)
        return row if row is not None and row.disabled_at is None else None

    def grant(self, sub: str, agent: str, now: datetime) -> Row[Any] | None:
        """Return what the customer allows the agent at this time, or None."""
        grants = [row for row in self._grants.get((sub, agent), ()) if row.expires_at > now]
        return max(grants, key=lambda row: row.created_at, default=None)

    def is_live(self, jti: str) -> bool:
        """Tell whether neither a token has been revoked nor one that it was exchanged for."""
        line = [self._tokens.get(one) for one in self._line(jti)]
        return all(row is not None and row.revoked_at is None for row in line)

    def _hold(self, statements: _Locking, **values: object) -> Sequence[Row[Any]]:
        return self._connection.execute(statements[self._skips], values).all()

    def _ancestors(self, jtis: Collection[str]) -> set[str]:
        """Return what these tokens were exchanged for, and what that was; none of it ever changes."""
        found: set[str] = set()
        while jtis:
            parents = self._connection.scalars(_PARENTS, {"jtis": list(jtis)})
            jtis = {jti for jti in parents if jti is not None} - found
            found |= jtis
        return found

    def _line(self, jti: str | None) -> Iterator[str]:
        while jti is not None:
            yield jti
            row = self._tokens.get(jti)
            jti = row.parent_jti if row is not None else None
