"""An assertion is used once: RULE 46; RFC 7523 §3."""

import secrets
from concurrent.futures import ThreadPoolExecutor

from tests.auth_server.client import ask
from tests.auth_server.servers import AuthServer


def test_an_assertion_is_good_once(server: AuthServer) -> None:
    assertion = server.agent.assertion()
    assert ask(server.agent, assertion) == (200, "")
    assert ask(server.agent, assertion) == (401, "invalid_client")


def test_an_assertion_is_spent_by_a_refused_request_too(server: AuthServer) -> None:
    assertion = server.agent.assertion()
    assert ask(server.agent, assertion, scope="everything") == (400, "invalid_scope")
    assert ask(server.agent, assertion) == (401, "invalid_client")


def test_an_assertion_is_good_once_over_all_endpoints(server: AuthServer) -> None:
    assertion = server.agent.assertion()
    form = server.agent.credentials(assertion) | {"token": "x"}
    assert server.http.post("/introspect", data=form).json() == {"active": False}
    assert ask(server.agent, assertion) == (401, "invalid_client")


def test_an_assertion_sent_many_times_at_once_is_good_once(server: AuthServer) -> None:
    assertion = server.agent.assertion()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(server.agent, assertion), range(8)))
    assert sorted(answers) == [(200, "")] + [(401, "invalid_client")] * 7


def test_two_clients_may_use_the_same_jti(server: AuthServer) -> None:
    jti = secrets.token_urlsafe(8)
    for client in (server.agent, server.app):
        form = client.credentials(client.assertion(jti=jti)) | {"token": "x"}
        assert server.http.post("/introspect", data=form).json() == {"active": False}
