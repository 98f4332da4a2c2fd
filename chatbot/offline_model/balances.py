"""What a sentence asks about balances."""

from collections.abc import Sequence
from datetime import date

from chatbot.offline_model import remarks
from chatbot.offline_model.accounts import Account, find_mentions
from chatbot.offline_model.intents import Balance, ListAccounts, NoSuchAccount, Remark
from chatbot.offline_model.periods import find_period
from chatbot.offline_model.sentence import Sentence


def asks_for_balance(sentence: Sentence) -> bool:
    """Tell whether the sentence asks how much there is."""
    return sentence.says("balance.asked")


def asks_for_accounts(sentence: Sentence) -> bool:
    """Tell whether the sentence asks which accounts there are."""
    return sentence.says("account.asked")


def asks_for_total(sentence: Sentence) -> bool:
    """Tell whether the sentence asks for a sum."""
    return sentence.says("balance.total")


def read_balance_question(
    sentence: Sentence, accounts: Sequence[Account], today: date
) -> Balance | ListAccounts | NoSuchAccount | Remark:
    """Return what is asked: of which accounts, one by one or in total."""
    period = find_period(sentence, today).period
    if period is not None and not (period.start and period.start <= today and (period.end or today) >= today):
        return remarks.NO_PAST_BALANCE
    mentions = find_mentions(sentence, accounts)
    missing = next((mention for mention in mentions.found if not mention.account_ids), None)
    if missing is not None:
        return NoSuchAccount(missing.words)
    somebody = mentions.rest.find("account.of_somebody")
    if somebody is not None:
        return NoSuchAccount(mentions.rest.typed(*somebody.span("name")))
    ids = tuple(dict.fromkeys(i for mention in mentions.found for i in mention.account_ids))
    return Balance(ids or None, total=asks_for_total(sentence))
