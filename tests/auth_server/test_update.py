"""A server starts on an earlier version's data, and nothing of it is lost."""

from sqlalchemy import inspect, text

from tests.auth_server.administration import BECAUSE, staff_member
from tests.auth_server.registry import Command
from tests.auth_server.servers import AGENT, AuthServer, running_server
from tests.clock import SetClock
from tests.jwks_server import JwksServer

ADDED = {
    "customer": ["disabled_at", "groups"],
    "agent": ["owner_sub", "max_transfer_minor", "groups", "suspended_by_role"],
    "delegation_grant": ["max_transfer_minor"],
}


def test_a_database_from_before_there_was_staff_is_brought_up_to_date(
    own_server_on_each: AuthServer, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    before = own_server_on_each
    customer = before.new_customer()
    tokens = before.sign_on(customer)
    with before.context.engine.begin() as connection:
        connection.execute(text("DROP TABLE staff"))
        connection.execute(text("DROP INDEX ix_agent_owner_sub"))
        for table, columns in ADDED.items():
            for column in columns:
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
    done = Command(before, "agents").run("list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "start the server once" in done.stderr
    settings = before.settings
    url = settings.database_url
    with running_server(settings.data_dir, app_keys, agent_keys, SetClock(), database_url=url) as server:
        subject_token = tokens.token_for(AGENT)
        assert server.exchange(subject_token).status_code == 200
        administrator = staff_member(server, "administrator")
        shown = administrator.get("/admin/agent", agent_id=AGENT)
        assert (shown["owner_sub"], shown["max_transfer_minor"], shown["groups"]) == (None, None, None)
        administrator.done("PATCH", "/admin/agent", {"owner_sub": administrator.sub}, agent_id=AGENT)
        administrator.done("PUT", "/admin/customer/groups", {"groups": ["pilot"]}, sub=customer)
        administrator.done("POST", "/admin/customer/disable", BECAUSE, sub=customer)
        assert server.agent.introspect(subject_token) == {"active": False}
        indexes = inspect(server.context.engine).get_indexes("agent")
        assert [index["column_names"] for index in indexes] == [["owner_sub"]]
