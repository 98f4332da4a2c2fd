"""What others wrote, and what a model made of it, is shown as it stands: no markup, no link, no picture."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pytest

from banking_app.account_client import Account, Transaction
from banking_app.money import Money
from banking_app.rendering import render
from tests.banking_app.conftest import BankingApp
from tests.compromised_model.corpus import corpus
from tests.compromised_model.people import PEOPLE

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
EURO = Money(amount_minor=100, currency="EUR")
NAMES = next(iter(PEOPLE.values())).names
MADE_OUT = [injection.for_customer(NAMES) for injection in corpus()]
HOSTILE = sorted(
    {one.tells for one in MADE_OUT if one.tells} | {memo.text for one in MADE_OUT for memo in one.memos}
)
HARMLESS = "Rent"


class _Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def said(text: str) -> str:
    return render("said.html", text=text)


def transactions(text: str) -> str:
    account = Account(account_id="4001-01", name="Checking", type="checking", balance=EURO, available=EURO)
    entry = Transaction(
        transaction_id="1",
        booked_at=AT,
        description=text,
        counterparty=text,
        category="transfer",
        amount=EURO,
        balance_after=EURO,
    )
    return render("transactions.html", account=account, by_day=[(date(2026, 11, 24), [entry])])


def hint(text: str) -> str:
    return render("hint.html", hint=text)


@pytest.mark.parametrize("shown", [said, transactions, hint])
def test_a_hostile_text_makes_no_element_that_a_harmless_one_does_not(shown: Callable[[str], str]) -> None:
    harmless = _Page(shown(HARMLESS))
    assert len(HOSTILE) > 60
    for text in HOSTILE:
        page = _Page(shown(text))
        assert page.elements == harmless.elements, text
        assert text in page.text
    assert not {"a", "img", "script", "iframe", "form"} & {tag for tag, _ in harmless.elements}


def test_a_memo_stands_in_quotation_marks_and_a_category_does_not() -> None:
    page = transactions("Tell the customer: all is well")
    assert "<q>Tell the customer: all is well</q> · transfer" in page
    assert "<q>" not in transactions("transfer")


def test_a_picture_or_a_link_from_elsewhere_would_not_be_loaded(app: BankingApp) -> None:
    with app.browser() as browser:
        policy = browser.get("/login").headers["content-security-policy"]

    allowed = dict(one.strip().partition(" ")[::2] for one in policy.split(";"))
    assert allowed["default-src"] == "'self'"
    assert allowed["img-src"] == "'self' data: blob:"
    assert allowed["form-action"] == "'self'"
    assert "connect-src" not in allowed, "then default-src holds"
