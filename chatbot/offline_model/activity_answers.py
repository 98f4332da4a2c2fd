"""Answers to questions on transactions: lists, sums, the largest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from chatbot.offline_model.accounts import Account
from chatbot.offline_model.balance_answers import plain_label
from chatbot.offline_model.intents import Activity
from chatbot.offline_model.knowledge import PAGE, Knowledge
from chatbot.offline_model.phrasing import listed, money, money_of, plain, span
from chatbot.offline_model.search import is_about

_FEW: Final = 5
_LISTED: Final = 20
_CATEGORIES: Final = 6
_NOT_INCOME: Final = frozenset({"opening"})


@dataclass(frozen=True, slots=True)
class _Found:
    """The transactions that fit a question, newest first, and how to say where they come from."""

    entries: Sequence[Mapping[str, Any]]
    where: str
    when: str
    about: str
    caveat: str


def answer_activity(question: Activity, knowledge: Knowledge) -> str:
    """Tell what the customer asked about transactions."""
    found = _find(question, knowledge)
    if not found.entries:
        return f"I found no transactions{found.about} on {found.where}{found.when}.{found.caveat}"
    if question.view == "sum":
        return _sums(question, found)
    if question.view == "largest":
        return _largest(question, found)
    return _list(question, found)


def _find(question: Activity, knowledge: Knowledge) -> _Found:
    # No look-up where names are not needed: it takes another scope, which may not have been given.
    accounts = knowledge.known_accounts() if question.account_ids else knowledge.accounts()
    asked = _asked_accounts(question, accounts)
    filtered = not _is_plain(question)
    limit = PAGE if filtered else min(PAGE, question.limit or (_LISTED if question.period else _FEW))
    statements = knowledge.statements(asked, question.period, limit)
    entries = [
        entry
        for statement in statements
        for entry in statement.transactions
        if _fits(question, entry, accounts)
    ]
    entries.sort(key=lambda entry: str(entry["booked_at"]), reverse=True)
    cut_off = filtered and not all(statement.complete for statement in statements)
    return _Found(
        entries,
        _where(asked, accounts),
        span(question.period),
        _about(question),
        " I looked only at the latest transactions, so there may be older ones." if cut_off else "",
    )


def _asked_accounts(question: Activity, accounts: Sequence[Account]) -> Sequence[str]:
    """Return the accounts to look at: those named; for a plain list the current account; otherwise all."""
    if question.account_ids:
        return question.account_ids
    everyday = [account.account_id for account in accounts if account.type == "checking"][:1]
    if everyday and _is_plain(question) and not question.every_account:
        return everyday
    return [account.account_id for account in accounts]


def _is_plain(question: Activity) -> bool:
    """Tell whether any transaction will do."""
    picks = (question.term, question.direction, question.least, question.most)
    return question.view == "list" and not any(picks)


def _fits(question: Activity, entry: Mapping[str, Any], accounts: Sequence[Account]) -> bool:
    amount = Decimal(entry["amount"]["amount"])
    if question.direction and (amount < 0) != (question.direction == "out"):
        return False
    if not (question.least or 0) <= abs(amount) <= (question.most or abs(amount)):
        return False
    if question.term:
        return is_about(entry, question.term)
    if question.account_ids or (question.view == "list" and not question.direction):
        return True
    # Money that only moves between the customer's own accounts is neither spent nor earned.
    own = {account.name for account in accounts}
    return entry["counterparty"] not in own and entry["category"] not in _NOT_INCOME


def _about(question: Activity) -> str:
    words = f' for "{plain(question.term)}"' if question.term else ""
    if question.least and question.least == question.most:
        return f"{words} of {question.least:,.2f}"
    if question.least:
        words += f" of {question.least:,.2f} or more"
    if question.most:
        words += f"{' and' if question.least else ' of'} {question.most:,.2f} or less"
    return words


def _where(asked: Sequence[str], accounts: Sequence[Account]) -> str:
    if len(asked) > 1 and len(asked) == len(accounts):
        return "all your accounts"
    labels = {account.account_id: plain_label(account) for account in accounts}
    return "your " + listed([labels.get(account_id, account_id) for account_id in asked])


def _list(question: Activity, found: _Found) -> str:
    shown = found.entries[: question.limit or (_LISTED if question.period or question.term else _FEW)]
    head = "The latest transaction" if len(shown) == 1 else f"The latest {len(shown)} transactions"
    if question.period and len(shown) == len(found.entries):
        head = "One transaction" if len(shown) == 1 else f"{len(shown)} transactions"
    return f"{head}{found.about} on {found.where}{found.when}:\n{_lines(shown)}"


def _largest(question: Activity, found: _Found) -> str:
    ordered = sorted(found.entries, key=lambda entry: abs(Decimal(entry["amount"]["amount"])), reverse=True)
    shown = ordered[: question.limit or 1]
    head = "The largest transaction" if len(shown) == 1 else f"The {len(shown)} largest transactions"
    return f"{head}{found.about} on {found.where}{found.when}:\n{_lines(shown)}{found.caveat}"


def _sums(question: Activity, found: _Found) -> str:
    spent = _total(entry for entry in found.entries if _amount(entry) < 0)
    received = _total(entry for entry in found.entries if _amount(entry) > 0)
    what = listed(
        [f"{verb} {amount}" for verb, amount in (("spent", spent), ("received", received)) if amount]
    )
    if question.account_ids and not question.direction:
        what = listed(
            [f"{verb} {amount}" for verb, amount in (("paid out", spent), ("received", received)) if amount]
        )
    number = "one transaction" if len(found.entries) == 1 else f"{len(found.entries)} transactions"
    text = f"You {what}{found.about}{found.when}, in {number} on {found.where}.{found.caveat}"
    return text if question.term or question.direction == "in" else text + _by_category(found.entries)


def _by_category(entries: Iterable[Mapping[str, Any]]) -> str:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        if _amount(entry) < 0:
            groups.setdefault(str(entry["category"]), []).append(entry)
    ordered = sorted(groups.items(), key=lambda group: sum(_amount(entry) for entry in group[1]))
    if len(ordered) < 2:
        return ""
    lines = [f"\n- {plain(name)}: {_total(group)}" for name, group in ordered[:_CATEGORIES]]
    return "\nMost of it by category:" + "".join(lines)


def _lines(entries: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(
        f"- {str(entry['booked_at'])[:10]}: {plain(entry['counterparty'])}, "
        f'"{plain(entry["description"])}", {money_of(entry["amount"])}'
        for entry in entries
    )


def _amount(entry: Mapping[str, Any]) -> Decimal:
    return Decimal(entry["amount"]["amount"])


def _total(entries: Iterable[Mapping[str, Any]]) -> str:
    """Return the sum's size, by currency; empty for no entries."""
    sums: dict[str, Decimal] = {}
    for entry in entries:
        currency = entry["amount"]["currency"]
        sums[currency] = sums.get(currency, Decimal(0)) + _amount(entry)
    return listed([money(abs(value), currency) for currency, value in sums.items()]) if sums else ""
