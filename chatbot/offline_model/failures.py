"""How a tool's error is told to the customer: honestly, and with what can be done."""

from typing import Final

from chatbot.offline_model.knowledge import ToolFailed
from chatbot.offline_model.phrasing import plain

_BY_CODE: Final = {
    "account-not-found": "You have no account with that number. I can see only your own accounts.",
    "insufficient-funds": "Nothing was transferred: the amount is more than that account has available.",
    "same-account": "Nothing was transferred: that would be a transfer from an account to itself.",
}
_TO_THE_CUSTOMER: Final = {
    "The customer has": "You have",
    "The customer can": "You can",
    "the assistant to": "me to",
    "let the assistant": "let me",
    "the assistant may": "I may",
    "The assistant may": "I may",
    "the customer allows": "you allow",
    "suspended the assistant": "suspended me",
}
"""Errors speak of customer and assistant to the model; the model speaks to one as the other."""


def told(failure: ToolFailed) -> str:
    """Return the answer to a question that a tool refused to help with."""
    if failure.code in _BY_CODE:
        return _BY_CODE[failure.code]
    words = plain(failure.message, longest=400)
    for theirs, ours in _TO_THE_CUSTOMER.items():
        words = words.replace(theirs, ours)
    return f"I could not do that. {words}".strip()
