"""From what a customer says, turn by turn, to a transfer that is complete and confirmed."""

from collections.abc import Sequence
from dataclasses import replace

from chatbot.offline_model import remarks
from chatbot.offline_model.accounts import Account, Mention
from chatbot.offline_model.intents import NoSuchAccount, Remark, Slot, Transfer
from chatbot.offline_model.sentence import Sentence
from chatbot.offline_model.transfer_orders import Order, read_order


def is_yes(sentence: Sentence) -> bool:
    """Tell whether the sentence is consent and nothing else."""
    return sentence.says("answer.yes") and sentence.says_only("answer.yes", "answer.beside_yes")


def is_cancel(sentence: Sentence) -> bool:
    """Tell whether the sentence calls the matter off, whatever else it says."""
    return sentence.says("answer.cancel")


def is_no(sentence: Sentence) -> bool:
    """Tell whether the sentence begins with a no; it may go on with a correction."""
    return sentence.says("answer.no")


def new_transfer(sentence: Sentence, accounts: Sequence[Account]) -> Transfer | Remark | NoSuchAccount:
    """Return the transfer that the sentence orders, as far as it describes it."""
    return _with_order(Transfer(), read_order(sentence, accounts), sentence)


def continued(
    pending: Transfer, asked: Slot, sentence: Sentence, accounts: Sequence[Account]
) -> Transfer | Remark | NoSuchAccount | None:
    """Return the pending transfer with the answer to what was asked, or with a correction.

    None where the sentence is neither.
    """
    order = read_order(sentence, accounts, name_alone=asked == "target")
    if order.is_empty:
        return None
    return _with_order(pending, order, sentence, asked)


def _with_order(
    known: Transfer, order: Order, sentence: Sentence, asked: Slot | None = None
) -> Transfer | Remark | NoSuchAccount:
    if order.later:
        return remarks.NOT_SCHEDULED
    if len(order.amounts) > 1:
        return remarks.ONE_AT_A_TIME
    missing = next((mention for mention in order.mentions if not mention.account_ids), None)
    if missing is not None:
        return NoSuchAccount(missing.words)
    if order.from_somebody:
        return remarks.NOT_YOURS
    source, target = _roles(order.mentions, sentence, asked)
    if target or order.payee:
        known = replace(
            known, target=target.account_ids if target else (), payee=None if target else order.payee
        )
    return replace(
        known,
        amount=order.amounts[0] if order.amounts else None if order.amount_unusable else known.amount,
        source=source.account_ids if source else known.source,
        memo=order.memo or known.memo,
        confirmed=False,
    )


def _roles(
    mentions: Sequence[Mention], sentence: Sentence, asked: Slot | None
) -> tuple[Mention | None, Mention | None]:
    """Tell which mention is the paying account and which the receiving one."""
    source = next((mention for mention in mentions if mention.role == "source"), None)
    target = next((mention for mention in mentions if mention.role == "target"), None)
    for mention in (mention for mention in mentions if mention.role is None):
        into = asked == "target" or sentence.says("order.into_what_is_named")
        if target is None and (into or source is not None):
            target = mention
        elif source is None:
            source = mention
    return source, target
