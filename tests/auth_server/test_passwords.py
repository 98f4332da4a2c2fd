"""Sign-on by password: the same answer for everybody, slower after several wrong ones, also many at once."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.auth_server.browser import Page
from tests.auth_server.servers import (
    ACCOUNT_API,
    PASSWORD,
    AuthorizationRequest,
    AuthServer,
    claims,
    sign_on,
)

NOT_MATCHING = "This user name and password do not match. Check both, then try again."


def try_once(server: AuthServer, username: str, password: str = "wrong") -> Page:
    return sign_on(server.browser(), AuthorizationRequest(resource=ACCOUNT_API), username, password)


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(server: AuthServer, customer: str) -> None:
    wrong, unknown = try_once(server, customer), try_once(server, "nobody@example.com")
    assert wrong.status == unknown.status == 403
    assert NOT_MATCHING in wrong.text
    same = wrong.text.replace(customer, "…").replace(wrong.form.fields["csrf"], "…")
    other = unknown.text.replace("nobody@example.com", "…").replace(unknown.form.fields["csrf"], "…")
    assert without_query(same, wrong) == without_query(other, unknown)
    assert wrong.response.headers.keys() == unknown.response.headers.keys()


def without_query(text: str, page: Page) -> str:
    return text.replace(page.form.action.replace("&", "&amp;"), "…")


@pytest.mark.parametrize("password", ["", " ", "ü" * 2000, "x" * 50_000, "' OR '1'='1", "\t\r\n", "🏦"])
def test_a_strange_password_is_a_wrong_password(server: AuthServer, customer: str, password: str) -> None:
    assert try_once(server, customer, password).status == 403


@pytest.mark.parametrize("username", ["", " ", "x" * 5000, "%00", "İ@example.com", "'--", "🏦"])
def test_a_strange_user_name_is_an_unknown_one(server: AuthServer, username: str) -> None:
    assert try_once(server, username).status == 403


def test_the_user_name_counts_in_any_case_and_with_spaces_around(server: AuthServer, customer: str) -> None:
    page = try_once(server, f" {customer.upper()} ", PASSWORD)
    assert "code" in page.parameters


def test_after_five_wrong_passwords_there_is_a_wait_that_doubles(own_server_on_each: AuthServer) -> None:
    customer = own_server_on_each.new_customer()
    for _ in range(5):
        assert try_once(own_server_on_each, customer).status == 403
    for wait in (1, 2, 4, 8, 16, 32, 60, 60):
        refused = try_once(own_server_on_each, customer, PASSWORD)
        assert refused.status == 429
        assert refused.response.headers["retry-after"] == str(wait)
        assert f"Wait {wait} s, then" in refused.text
        own_server_on_each.clock.forward(seconds=wait - 0.5)
        assert try_once(own_server_on_each, customer).response.headers["retry-after"] == "1"
        own_server_on_each.clock.forward(seconds=0.5)
        assert try_once(own_server_on_each, customer).status == 403
    own_server_on_each.clock.forward(seconds=60)
    assert "code" in try_once(own_server_on_each, customer, PASSWORD).parameters


def test_an_unknown_user_has_to_wait_like_any_other(server: AuthServer, customer: str) -> None:
    unknown = f"nobody-{customer}"
    statuses = [try_once(server, unknown).status for _ in range(6)]
    assert statuses == [403] * 5 + [429]


def test_who_writes_the_name_in_another_way_has_to_wait_all_the_same(
    server: AuthServer, customer: str
) -> None:
    ways = itertools.cycle([customer, customer.upper(), f" {customer}", f"{customer}\t"])
    assert [try_once(server, next(ways)).status for _ in range(6)] == [403] * 5 + [429]


def test_a_right_password_begins_the_count_anew(server: AuthServer, customer: str) -> None:
    for _ in range(2):
        for _ in range(4):
            assert try_once(server, customer).status == 403
        assert "code" in try_once(server, customer, PASSWORD).parameters


def test_after_a_quarter_of_an_hour_the_count_begins_anew(own_server: AuthServer) -> None:
    customer = own_server.new_customer()
    for _ in range(5):
        try_once(own_server, customer)
    own_server.clock.forward(minutes=15, seconds=1)
    assert [try_once(own_server, customer).status for _ in range(5)] == [403] * 5


def test_one_customers_wait_is_not_anothers(server: AuthServer, customer: str) -> None:
    for _ in range(6):
        try_once(server, customer)
    assert "code" in try_once(server, server.new_customer(), PASSWORD).parameters


def test_many_tries_at_once_are_all_counted(server: AuthServer, customer: str) -> None:
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: try_once(server, customer).status, range(24)))
    assert set(statuses) == {403, 429}
    assert statuses.count(403) <= 5


def test_a_forged_sign_on_form_is_not_even_looked_at(server: AuthServer, customer: str) -> None:
    browser = server.browser()
    page = browser.open("/authorize", AuthorizationRequest().query)
    answer = browser.submit(page, username=customer, password=PASSWORD, csrf="0" * 64)
    assert answer.status == 400
    assert "auth_session" not in browser.http.cookies
    assert server.records(operation="sign_on", sub=customer) == []


def test_each_sign_on_gives_the_browser_a_new_cookie(server: AuthServer, customer: str) -> None:
    browser = server.browser()
    browser.http.cookies.set("auth_session", "planted")
    sign_on(browser, AuthorizationRequest(prompt="login"), customer)
    values = [c.value for c in browser.http.cookies.jar if c.name == "auth_session"]
    sign_on(browser, AuthorizationRequest(prompt="login"), customer)
    values += [c.value for c in browser.http.cookies.jar if c.name == "auth_session"]
    assert len({value for value in values if value != "planted"}) == 2


def test_the_session_cookie_is_for_this_server_alone(server: AuthServer, customer: str) -> None:
    browser = server.browser()
    page = browser.open("/authorize", AuthorizationRequest().query)
    fields = page.form.fields | {"username": customer, "password": PASSWORD}
    [cookie] = browser.http.post(page.form.action, data=fields).headers.get_list("set-cookie")
    assert cookie.startswith("auth_session=")
    assert cookie.partition(";")[2] == " HttpOnly; Path=/; SameSite=lax"


def test_the_sub_is_the_customers_own_spelling(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer.upper())
    assert claims(tokens.first["id_token"])["sub"] == customer
