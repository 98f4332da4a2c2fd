"""From a sentence, and what was said before it, to what the customer wants."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from chatbot.offline_model import balances, remarks, transfers
from chatbot.offline_model.accounts import Account
from chatbot.offline_model.activity import MOST, asks_for_activity, read_activity
from chatbot.offline_model.intents import Activity, Balance, Context, Intent, ListAccounts, Transfer
from chatbot.offline_model.remarks import remark
from chatbot.offline_model.sentence import Sentence
from chatbot.offline_model.transfer_orders import hints_at_order, is_order

_MORE_BY: Final = 10
_SHORT: Final = 8
"""A sentence of so few words, after a question on transactions, changes that question."""


def understand(sentence: Sentence, context: Context, accounts: Sequence[Account], today: date) -> Intent:
    """Return what the customer wants; a `Remark` where no tool is of use.

    `accounts` is empty until they have been listed in the conversation.
    """
    return (
        remark("never", sentence)
        or _yes_or_no(sentence, context, accounts)
        or remark("courtesy", sentence)
        or remark("others", sentence)
        or _order(sentence, context, accounts)
        or remark("action", sentence)
        or _question(sentence, context, accounts, today)
        or _answer(sentence, context, accounts)
        or _follow_up(sentence, context, accounts, today)
        or remarks.UNCLEAR
    )


def _yes_or_no(sentence: Sentence, context: Context, accounts: Sequence[Account]) -> Intent | None:
    pending = context.task if isinstance(context.task, Transfer) and context.asked else None
    if transfers.is_cancel(sentence):
        return remarks.CANCELLED if pending else None
    if transfers.is_no(sentence):
        if pending is None:
            return remarks.NOTHING_PENDING
        return transfers.continued(pending, "confirmation", sentence, accounts) or remarks.CANCELLED
    if transfers.is_yes(sentence):
        if pending is None:
            return remarks.NOTHING_PENDING
        return replace(pending, confirmed=context.asked == "confirmation")
    return None


def _order(sentence: Sentence, context: Context, accounts: Sequence[Account]) -> Intent | None:
    if not is_order(sentence):
        return None
    order = transfers.new_transfer(sentence, accounts)
    if isinstance(context.task, Transfer) and context.asked and isinstance(order, Transfer):
        is_whole = order.amount and (order.payee or order.target)
        return order if is_whole else transfers.continued(context.task, context.asked, sentence, accounts)
    return order


def _question(
    sentence: Sentence, context: Context, accounts: Sequence[Account], today: date
) -> Intent | None:
    activity, balance = asks_for_activity(sentence), balances.asks_for_balance(sentence)
    if (activity or balance) and sentence.says("reference.future"):
        return remarks.NO_FUTURE
    if activity:
        return read_activity(sentence, accounts, today, _same_accounts(sentence, context))
    topic = remark("topic", sentence)
    if topic:
        return topic
    if sentence.says("reference.future"):
        return remarks.NO_FUTURE
    if isinstance(context.task, Activity) and sentence.says("reference.points_back"):
        return None
    if balances.asks_for_accounts(sentence) and not balances.asks_for_total(sentence):
        return ListAccounts()
    if balance:
        return balances.read_balance_question(sentence, accounts, today)
    return transfers.new_transfer(sentence, accounts) if hints_at_order(sentence) else None


def _same_accounts(sentence: Sentence, context: Context) -> Activity | None:
    """Return a question about the accounts before, if the sentence means those: "the last two there"."""
    if isinstance(context.task, Balance | Activity) and sentence.says("reference.same_account"):
        return Activity(account_ids=context.task.account_ids)
    return None


def _answer(sentence: Sentence, context: Context, accounts: Sequence[Account]) -> Intent | None:
    if not isinstance(context.task, Transfer) or context.asked is None:
        return None
    return transfers.continued(context.task, context.asked, sentence, accounts) or context.task


def _follow_up(
    sentence: Sentence, context: Context, accounts: Sequence[Account], today: date
) -> Intent | None:
    task, follows_up = context.task, sentence.says("reference.follows_up")
    if isinstance(task, Balance) and balances.asks_for_total(sentence):
        return replace(task, total=True)
    if isinstance(task, Activity) and sentence.says("activity.more"):
        return replace(task, limit=min(MOST, (task.limit or _MORE_BY) + _MORE_BY), view="list")
    accounts_before = task.account_ids if isinstance(task, Balance) else None
    before = task if isinstance(task, Activity) else Activity(account_ids=accounts_before)
    changed = read_activity(sentence, accounts, today, before, term_alone=follows_up)
    if not isinstance(changed, Activity):
        return changed
    if isinstance(task, Activity):
        short = len(sentence.words) <= _SHORT
        return changed if changed != before and (short or follows_up) else None
    if replace(changed, account_ids=None, every_account=False) == Activity():
        named = changed.every_account or changed != before
        return Balance(changed.account_ids) if named else None
    return changed if changed.period or changed.limit or follows_up else None
