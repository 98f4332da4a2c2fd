"""What the driver runs itself, SQLAlchemy would have run with the same rows and the same errors."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Connection, Select, insert, select
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from auth_server.agent_tables import RegisteredAgent
from auth_server.tables import Base, IssuedToken
from delegation.prepared import Prepared, among, rows_of_each
from tests.auth_server.servers import AGENT, AuthServer

_TOKEN = Base.metadata.tables[IssuedToken.__tablename__]
_AGENT = Base.metadata.tables[RegisteredAgent.__tablename__]
_SETS = ("jti", "sub", "client_id", "expires_at")
_AT = datetime(2026, 11, 28, 12, 30, 1, 20, tzinfo=timezone(timedelta(hours=2)))


def row(jti: str, sub: str = "somebody") -> dict[str, Any]:
    return {"jti": jti, "sub": sub, "client_id": AGENT, "expires_at": _AT}


def chosen(columns: list[Any], column: Any, connection: Connection) -> tuple[Prepared, Select[Any]]:
    statement = select(*columns).where(among(column, "ids", connection.dialect)).order_by(column)
    return Prepared(statement, columns), select(*columns).order_by(column)


def test_rows_are_those_that_sqlalchemy_reads(server: AuthServer) -> None:
    jtis = [f'{server.new_customer()} "{{,}}" \\ é {number}' for number in range(3)]
    with server.context.engine.connect() as connection:
        keep = Prepared(insert(_TOKEN), sets=_SETS)
        keep.run(connection, *[row(jti) for jti in jtis])
        tokens, tokens_by_sqlalchemy = chosen(list(_TOKEN.c), _TOKEN.c.jti, connection)
        agents, agents_by_sqlalchemy = chosen(list(_AGENT.c), _AGENT.c.agent_id, connection)
        for ids in ([], jtis[:1], jtis):
            found = rows_of_each(connection, (tokens, {"ids": ids}), (agents, {"ids": [AGENT]}))
            by_sqlalchemy = connection.execute(tokens_by_sqlalchemy.where(_TOKEN.c.jti.in_(ids))).all()
            assert sorted(found[0]) == sorted(tuple(one) for one in by_sqlalchemy)
            of_agent = agents_by_sqlalchemy.where(_AGENT.c.agent_id == AGENT)
            assert found[1] == [tuple(one) for one in connection.execute(of_agent)]
        [one] = tokens.rows(connection, {"ids": jtis[:1]})
        assert (one.expires_at, one.expires_at.tzinfo, one.revoked_at) == (_AT, UTC, None)
        connection.rollback()


def test_a_row_that_is_there_is_an_integrity_error(server: AuthServer) -> None:
    with server.context.engine.connect() as connection:
        keep = Prepared(insert(_TOKEN), sets=_SETS)
        with pytest.raises(IntegrityError) as caught:
            keep.run(connection, row("the same"), row("the same"))
        assert "somebody" not in str(caught.value)
        connection.rollback()


def test_a_value_that_the_database_cannot_take_is_a_data_error(postgresql_server: AuthServer) -> None:
    with postgresql_server.context.engine.connect() as connection:
        keep = Prepared(insert(_TOKEN), sets=_SETS)
        with pytest.raises(DataError):
            keep.run(connection, row("too long", "x" * 513))
        connection.rollback()
        tokens, _ = chosen(list(_TOKEN.c), _TOKEN.c.jti, connection)
        with pytest.raises(DataError):
            rows_of_each(connection, (tokens, {"ids": ["\0"]}), (tokens, {"ids": []}))
        connection.rollback()


def test_a_connection_that_has_gone_is_not_used_again(postgresql_server: AuthServer) -> None:
    engine = postgresql_server.context.engine
    with engine.connect() as connection:
        tokens, _ = chosen(list(_TOKEN.c), _TOKEN.c.jti, connection)
        [[mine]] = connection.exec_driver_sql("SELECT pg_backend_pid()").all()
        with engine.connect() as other:
            other.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (mine,))
        with pytest.raises(OperationalError):
            rows_of_each(connection, (tokens, {"ids": []}), (tokens, {"ids": []}))
        assert connection.invalidated
    with engine.connect() as connection:
        assert tokens.rows(connection, {"ids": []}) == []
