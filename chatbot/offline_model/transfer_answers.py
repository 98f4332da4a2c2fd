"""Answers on transfers: ask for what is missing, ask for consent, transfer, tell what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from chatbot.offline_model.accounts import Account
from chatbot.offline_model.balance_answers import names, plain_label
from chatbot.offline_model.intents import Context, Say, Slot, Transfer
from chatbot.offline_model.knowledge import Knowledge
from chatbot.offline_model.phrasing import listed, money, money_of, plain
from chatbot.offline_model.vocabulary import alike

Accounts = Mapping[str, Account]


def answer_transfer(order: Transfer, knowledge: Knowledge) -> Say:
    """Take the transfer one step further; it is made only after the customer's yes to all of it."""
    accounts = {account.account_id: account for account in knowledge.accounts()}
    if not accounts:
        return Say("You have no account that I could transfer from.", Context())
    if not order.source or order.source == order.target:
        order = replace(order, source=_usual_source(order, accounts))
    question = _ask_for_missing(order, accounts) or _ask_for_payee(order, accounts, knowledge.known_payees())
    if question:
        return question
    if not order.confirmed:
        return _ask_for_consent(order, accounts)
    return _make(order, accounts, knowledge)


def _usual_source(order: Transfer, accounts: Accounts) -> tuple[str, ...]:
    """Return where a transfer comes from if the customer does not say; empty if that is not plain."""
    possible = [account for account in accounts.values() if account.account_id not in order.target]
    current = [account for account in possible if account.type == "checking"]
    for choice in (current, possible):
        if len(choice) == 1:
            return (choice[0].account_id,)
    return ()


def _ask_for_missing(order: Transfer, accounts: Accounts) -> Say | None:
    if order.amount is None:
        return _ask(
            order,
            "amount",
            "How much shall I transfer? Please name an amount above zero, such as 50 or 12.50.",
        )
    if not (order.payee or order.target):
        yours = names(list(accounts.values()), "or")
        return _ask(
            order,
            "target",
            f"To whom shall I transfer it? Name a saved payee or one of your accounts: {yours}.",
        )
    if len(order.target) > 1:
        return _ask(order, "target", f"Which account shall receive it: {_either(order.target, accounts)}?")
    if len(order.source) != 1:
        choice = order.source or [each for each in accounts if each not in order.target]
        return _ask(order, "source", f"From which account shall I take it: {_either(choice, accounts)}?")
    currency = _currency(order, accounts)
    if order.amount.currency not in {None, currency}:
        text = (
            f"That account is kept in {currency} and I cannot convert. How many {currency} shall I transfer?"
        )
        return _ask(replace(order, amount=None), "amount", text)
    return None


def _ask_for_consent(order: Transfer, accounts: Accounts, remark: str = "") -> Say:
    to = _label(order.target[0], accounts) if order.target else plain(order.payee or "")
    memo = f', with the memo "{plain(order.memo)}"' if order.memo else ""
    what = f"{_money(order, accounts)} from {_label(order.source[0], accounts)} to {to}{memo}"
    return _ask(order, "confirmation", f"{remark}Shall I transfer {what}? Please answer yes or no.")


def _make(order: Transfer, accounts: Accounts, knowledge: Knowledge) -> Say:
    arguments = {
        "from_account": order.source[0],
        "to": order.target[0] if order.target else order.payee,
        "amount": f"{order.amount.value:.2f}" if order.amount else "",
        "currency": _currency(order, accounts),
    }
    receipt = knowledge.transfer(arguments | ({"memo": order.memo} if order.memo else {}))
    return Say(
        f"Done: I transferred {money_of(receipt['amount'])} from {_label(order.source[0], accounts)} to "
        f"{plain(receipt['to']['name'])}. There is now {money_of(receipt['balance_after'])} on it.",
        Context(order),
    )


def _ask_for_payee(order: Transfer, accounts: Accounts, saved: Sequence[str] | None) -> Say | None:
    """Return a question if the payee is known not to be a saved one; it names whom the customer may mean."""
    if saved is None or order.payee is None or order.payee.casefold() in (name.casefold() for name in saved):
        return None
    wanted = order.payee.casefold().split()
    close = [name for name in saved if _fits(wanted, name.casefold().split())]
    unknown = f'"{plain(order.payee)}" is not among your saved payees. '
    if len(close) == 1:
        return _ask_for_consent(
            replace(order, payee=close[0]), accounts, unknown + f"Did you mean {plain(close[0])}? "
        )
    choice = listed([plain(name) for name in close or saved], "or")
    question = f"Whom do you mean: {choice}?" if choice else "You have none yet."
    return _ask(replace(order, payee=None), "target", unknown + question)


def _fits(wanted: Iterable[str], name: Iterable[str]) -> bool:
    there = list(name)
    return any(alike(word, other) for word in wanted for other in there)


def _ask(order: Transfer, slot: Slot, text: str) -> Say:
    return Say(text, Context(replace(order, confirmed=False), slot))


def _currency(order: Transfer, accounts: Accounts) -> str:
    paying = accounts.get(order.source[0]) or next(iter(accounts.values()))
    return paying.currency


def _money(order: Transfer, accounts: Accounts) -> str:
    return money(order.amount.value, _currency(order, accounts)) if order.amount else ""


def _label(account_id: str, accounts: Accounts) -> str:
    return plain_label(accounts[account_id]) if account_id in accounts else account_id


def _either(account_ids: Iterable[str], accounts: Accounts) -> str:
    return listed([_label(account_id, accounts) for account_id in account_ids], "or")
