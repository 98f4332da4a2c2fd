"""Answers to questions on balances and accounts."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from chatbot.offline_model.accounts import Account
from chatbot.offline_model.intents import Balance, NoSuchAccount
from chatbot.offline_model.knowledge import Knowledge
from chatbot.offline_model.phrasing import listed, money, money_of, plain


def answer_balance(question: Balance, knowledge: Knowledge) -> str:
    """Tell how much is on the accounts that were asked about, or on all."""
    if question.account_ids is None:
        entries = knowledge.listed_accounts()
    else:
        entries = knowledge.balances(question.account_ids)
    if not entries:
        return "You have no accounts that I can see."
    if len(entries) == 1:
        entry = entries[0]
        return f"The balance of your {_label(entry)} is {money_of(entry['balance'])}{_available(entry)}."
    lines = [f"- {_label(entry)}: {money_of(entry['balance'])}{_available(entry)}" for entry in entries]
    if question.total:
        return f"In total you have {_total(entries)}:\n" + "\n".join(lines)
    return "Your balances:\n" + "\n".join(lines)


def answer_list(knowledge: Knowledge) -> str:
    """Tell which accounts there are."""
    entries = knowledge.listed_accounts()
    if not entries:
        return "You have no accounts that I can see."
    lines = [
        f"- {_label(entry)}, {_KIND.get(entry['type'], 'account')}: {money_of(entry['balance'])}"
        for entry in entries
    ]
    return "Your accounts:\n" + "\n".join(lines)


def answer_no_such(question: NoSuchAccount, knowledge: Knowledge) -> str:
    """Tell that the customer has no such account, and which there are."""
    return (
        f'You have no account that I could take for "{plain(question.words)}", and I can see only your own. '
        f"Yours are: {names(knowledge.accounts())}."
    )


def names(accounts: Sequence[Account], last: str = "and") -> str:
    """Return the accounts' names and numbers as one phrase."""
    return listed([plain_label(account) for account in accounts], last)


def plain_label(account: Account) -> str:
    """Return an account's name and number."""
    return f"{plain(account.name)} ({account.account_id})"


_KIND = {"checking": "current account", "savings": "savings account", "credit_card": "credit card"}


def _label(entry: Mapping[str, Any]) -> str:
    return f"{plain(entry['name'])} ({entry['account_id']})"


def _available(entry: Mapping[str, Any]) -> str:
    if entry["available"] == entry["balance"]:
        return ""
    return f", with {money_of(entry['available'])} available"


def _total(entries: Sequence[Mapping[str, Any]]) -> str:
    sums: dict[str, Decimal] = {}
    for entry in entries:
        currency = entry["balance"]["currency"]
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(entry["balance"]["amount"])
    return listed([money(value, currency) for currency, value in sums.items()])
