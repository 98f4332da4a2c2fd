"""A new password, given at the command line: what came of sign-ons with the old one ends."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from auth_server.__main__ import main
from auth_server.agent_history import By
from auth_server.disabling import set_password
from auth_server.tables import Customer, SignOnSession
from tests.auth_server.administration import staff_member
from tests.auth_server.client import refusal
from tests.auth_server.servers import (
    AGENT,
    CALLBACK,
    ISSUER,
    PASSWORD,
    PASSWORD_HASH,
    AuthorizationRequest,
    AuthServer,
    sign_on,
)

CHOSEN = "another password altogether"
Run = Callable[..., int]


class Terminal(io.StringIO):
    """Standard input that somebody sits at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(server: AuthServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line of the shared server; `text` is its standard input."""
    monkeypatch.setenv("DATA_DIR", str(server.settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", server.settings.database_url)

    def run(*arguments: str, text: str = f"{CHOSEN}\n") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        return main(arguments)

    return run


def status(server: AuthServer, sub: str, password: str) -> int:
    return sign_on(server.browser(), AuthorizationRequest(), sub, password).status


def test_a_customers_new_password_ends_what_came_of_the_old_one_and_nothing_of_anybody_else(
    server: AuthServer, customer: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens, other = server.sign_on(customer), server.sign_on(server.new_customer())
    subject, unaffected = tokens.token_for(AGENT), other.token_for(AGENT)
    delegation = server.exchange(subject).json()["access_token"]
    assert run("customers", "set-password", customer, "--by", "Ada", "--reason", "ticket 9") == 0
    out, err = capsys.readouterr()
    assert CHOSEN not in out + err
    assert "argon2" not in out
    assert not any(server.agent.introspect(token)["active"] for token in (subject, delegation))
    assert refusal(tokens.refresh(resource=ISSUER)) == (400, "invalid_grant")
    assert refusal(server.exchange(subject)) == (400, "invalid_request")
    page = tokens.browser.open("/authorize", AuthorizationRequest(prompt="none").query)
    assert page.parameters["error"] == "login_required"
    assert server.exchange(unaffected).status_code == 200
    assert status(server, customer, PASSWORD) == 403
    assert sign_on(server.browser(), AuthorizationRequest(), customer, CHOSEN).leads_to == CALLBACK
    [record] = server.records(resource=customer)
    assert (record["operation"], record["reason"]) == ("customer.set-password", "Ada: ticket 9")


def test_a_member_of_staffs_new_password_ends_what_they_can_do(server: AuthServer, run: Run) -> None:
    member = staff_member(server, "auditor")
    assert run("staff", "set-password", member.sub) == 0
    assert member.request("GET", "/admin/agents").status_code == 401
    assert sign_on(server.browser(), AuthorizationRequest(), member.sub, CHOSEN).leads_to == CALLBACK


def test_whoever_is_disabled_stays_so(server: AuthServer, customer: str, run: Run) -> None:
    assert run("customers", "disable", customer, "--reason", "left") == 0
    assert run("customers", "set-password", customer) == 0
    assert status(server, customer, CHOSEN) == 403


@pytest.mark.parametrize(
    ("arguments", "text", "said"),
    [
        (("customers", "set-password", "{sub}"), "short\n", "8 to 1024 characters"),
        (("customers", "set-password", "{sub}"), "", "8 to 1024 characters"),
        (("staff", "set-password", "{sub}"), CHOSEN, "there is no"),
        (("customers", "set-password", "nobody@example.com"), CHOSEN, "there is no"),
        (("customers", "set-password", "{sub}", "--password-file", "/nowhere"), "", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(
    sqlite_server: AuthServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    text: str,
    said: str,
) -> None:
    sub = sqlite_server.new_customer()
    monkeypatch.setenv("DATA_DIR", str(sqlite_server.settings.data_dir))
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main([one.format(sub=sub) for one in arguments]) == 2
    assert said in capsys.readouterr().err
    assert status(sqlite_server, sub, PASSWORD) == 200


def test_a_password_is_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["customers", "set-password", "customer@example.com", CHOSEN])
    assert ended.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize(("second", "code"), [(CHOSEN, 0), ("a slip of the finger", 2)])
def test_at_a_terminal_it_is_asked_for_twice_without_showing_it(
    sqlite_server: AuthServer, monkeypatch: pytest.MonkeyPatch, second: str, code: int
) -> None:
    sub, typed = sqlite_server.new_customer(), [CHOSEN, second]
    monkeypatch.setenv("DATA_DIR", str(sqlite_server.settings.data_dir))
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("auth_server.people_parser.getpass", lambda _prompt: typed.pop(0))
    assert main(["customers", "set-password", sub]) == code
    assert typed == []
    assert status(sqlite_server, sub, CHOSEN if code == 0 else PASSWORD) == 200


def test_an_old_password_that_is_being_compared_while_a_new_one_is_given_signs_nobody_on(
    server: AuthServer, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, matches = By(who="a test", why="to see it", at=server.clock()), server.context.passwords.matches

    def changed_meanwhile(password_hash: str | None, password: str) -> Any:
        right = matches(password_hash, password)
        with server.context.transaction() as db:
            set_password(db, Customer, customer, PASSWORD_HASH[::-1], by)
        return right

    monkeypatch.setattr(server.context.passwords, "matches", changed_meanwhile)
    assert status(server, customer, PASSWORD) == 403
    assert server.rows(select(SignOnSession.sid).where(SignOnSession.sub == customer)) == []
