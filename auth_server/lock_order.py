"""The one order in which a transaction locks rows, so that no two wait for each other forever.

staff, agent, customer, failed sign-on, sign-on session, authorization code, grant, refresh token, access
token, event stream, security event; and last the head of the chain of records (`auth_server.audit`). A
transaction leaves out what it does not need, and never goes back. Several rows of one table: by primary key,
for PostgreSQL promises no order to an UPDATE or a DELETE of several rows; so `lock` comes before these.

In this order run suspending an agent (agent, its access tokens), disabling a person (person, sessions,
refresh tokens, access tokens), withdrawing a grant (agent if staff do it, grant, access tokens), signing out
(session, refresh tokens, access tokens), consent (customer, grants, access tokens), a refresh (session,
refresh token, new tokens) and an exchange (agent, customer, grant, the tokens that it is about). Exchanges
that share a transaction lock all their agents, then all their customers, and so on (`auth_server.held_rows`).

Before all of these a client's assertion is kept, which waits for whoever is just keeping the same one.
"""

from sqlalchemy import ColumnElement, inspect, select
from sqlalchemy.orm import Session

from auth_server.tables import Base


def lock(db: Session, table: type[Base], *which: ColumnElement[bool]) -> None:
    """Lock the rows of one table for which all of this holds, in order.

    On SQLite there is nothing to do: one transaction writes at a time.
    """
    if db.get_bind().dialect.name == "sqlite":
        return
    key = inspect(table).primary_key
    db.execute(select(*key).where(*which).order_by(*key).with_for_update()).all()
