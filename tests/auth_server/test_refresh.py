"""Refresh tokens are good once, and a second use ends them all: RFC 9700 §4.14.2."""

from concurrent.futures import ThreadPoolExecutor

from tests.auth_server.client import refusal
from tests.auth_server.servers import ACCOUNT_API, ISSUER, AuthServer, claims


def test_each_refresh_gives_another_refresh_token(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    seen = {tokens.refresh_token}
    for _ in range(3):
        response = tokens.refresh(resource=ACCOUNT_API)
        assert response.json().keys() == {
            "access_token",
            "token_type",
            "expires_in",
            "scope",
            "refresh_token",
        }
        seen.add(tokens.refresh_token)
    assert len(seen) == 4


def test_a_second_use_ends_all_that_came_of_the_sign_on(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    used = tokens.refresh_token
    access_token = tokens.token_for(ISSUER)
    stolen = server.app.token(grant_type="refresh_token", refresh_token=used)
    assert refusal(stolen) == (400, "invalid_grant")
    assert refusal(tokens.refresh()) == (400, "invalid_grant")
    for token in (access_token, tokens.first["access_token"]):
        assert server.app.introspect(token) == {"active": False}


def test_a_second_use_leaves_the_customers_other_sign_ons_alone(server: AuthServer, customer: str) -> None:
    robbed, other = server.sign_on(customer), server.sign_on(customer)
    used = robbed.refresh_token
    robbed.refresh()
    server.app.token(grant_type="refresh_token", refresh_token=used)
    assert other.refresh().status_code == 200


def test_of_many_uses_at_the_same_moment_exactly_one_is_served(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)

    def refresh(_: int) -> int:
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        return server.app.token(**form, resource=ACCOUNT_API).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(refresh, range(8)))
    assert sorted(statuses) == [200] + [400] * 7


def test_no_refresh_token_outlives_a_reuse_that_is_noticed_while_it_is_made(
    server: AuthServer, customer: str
) -> None:
    for _ in range(5):
        tokens = server.sign_on(customer)
        used = tokens.refresh_token
        tokens.refresh()
        with ThreadPoolExecutor(2) as pool:
            good = pool.submit(tokens.refresh)
            reused = pool.submit(server.app.token, grant_type="refresh_token", refresh_token=used)
            good.result()
            assert refusal(reused.result()) == (400, "invalid_grant")
        assert refusal(tokens.refresh()) == (400, "invalid_grant")


def test_no_refresh_token_outlives_a_sign_out_during_which_it_is_made(
    server: AuthServer, customer: str
) -> None:
    for _ in range(5):
        tokens = server.sign_on(customer)
        hint = tokens.first["id_token"]
        with ThreadPoolExecutor(2) as pool:
            refreshed = pool.submit(tokens.refresh)
            pool.submit(server.http.get, "/end-session", params={"id_token_hint": hint}).result()
            refreshed.result()
        assert refusal(tokens.refresh()) == (400, "invalid_grant")


def test_a_refresh_token_is_useless_to_another_client(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
    assert refusal(server.agent.token(**form)) == (400, "unauthorized_client")
    assert tokens.refresh().status_code == 200


def test_refresh_tokens_end_with_the_hours_of_the_sign_on(own_server_on_each: AuthServer) -> None:
    tokens = own_server_on_each.sign_on(own_server_on_each.new_customer())
    own_server_on_each.clock.forward(hours=11, minutes=59)
    assert tokens.refresh().status_code == 200
    own_server_on_each.clock.forward(minutes=1)
    assert refusal(tokens.refresh()) == (400, "invalid_grant")


def test_an_unknown_or_missing_refresh_token_is_refused(server: AuthServer) -> None:
    unknown = server.app.token(grant_type="refresh_token", refresh_token="nonsense")
    assert refusal(unknown) == (400, "invalid_grant")
    missing = server.app.token(grant_type="refresh_token")
    assert refusal(missing) == (400, "invalid_request")


def test_the_refreshed_token_says_who_signed_on(server: AuthServer, customer: str) -> None:
    assert claims(server.sign_on(customer).token_for(ACCOUNT_API))["sub"] == customer
