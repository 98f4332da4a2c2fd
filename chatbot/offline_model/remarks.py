"""What needs no tool: courtesies, and what the assistant honestly cannot do. The table is `remarks.toml`."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from chatbot.offline_model.intents import Remark
from chatbot.offline_model.sentence import Sentence

Group = Literal["never", "others", "action", "topic", "courtesy"]

UNCLEAR: Final = Remark(
    "I am not sure what you mean. I understand plain English questions about your balances, transactions and "
    'transfers, such as "What is my balance?" or "Show my last five transactions."'
)
NOTHING_PENDING: Final = Remark("There is nothing waiting for your answer. What can I do for you?")
CANCELLED: Final = Remark("All right, I have not transferred anything.")
NOT_SCHEDULED: Final = Remark(
    "I cannot plan transfers or make them repeat: no standing orders and no dates. I can transfer once, now, "
    "when you ask me to."
)
ONE_AT_A_TIME: Final = Remark("I can make one transfer at a time. Which one shall I begin with?")
NO_FUTURE: Final = Remark(
    "I cannot see into the future: I know only what is booked already. I can show your balances and past "
    "transactions."
)
NO_PAST_BALANCE: Final = Remark(
    "I can read the balance only as it is now, not that of an earlier day. I can show the transactions of "
    "that time instead."
)
NOT_YOURS: Final = Remark("I can move money only from your own accounts, never from anybody else's.")


def remark(group: Group, sentence: Sentence) -> Remark | None:
    """Return what is to be said to this sentence, if it is a matter of this group."""
    return next((answer for pattern, answer in _table()[group] if pattern.search(sentence.text)), None)


@cache
def _table() -> dict[str, list[tuple[re.Pattern[str], Remark]]]:
    document = tomllib.loads(files("chatbot.offline_model").joinpath("remarks.toml").read_text("utf-8"))
    text = document.pop("text")
    return {
        group: [
            (re.compile(pattern), Remark(entry["answer"].strip().format_map(text)))
            for entry in entries
            for pattern in entry["when"]
        ]
        for group, entries in document.items()
    }
