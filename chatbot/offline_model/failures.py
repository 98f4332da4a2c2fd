"""How a tool's error is told to the customer: honestly, and with what can be done."""

from typing import Final

from chatbot.offline_model.knowledge import ToolFailed
from chatbot.offline_model.phrasing import plain

_IN_OTHER_WORDS: Final = {
    "account-not-found": "You have no account with that number. I can see only your own accounts.",
    "insufficient-funds": "Nothing was transferred: the amount is more than that account has available.",
    "same-account": "Nothing was transferred: that would be a transfer from an account to itself.",
}
"""By the error's code. Every other error is told in the words that came with it."""


def told(failure: ToolFailed) -> str:
    """Return the answer to a question that a tool refused to help with."""
    words = _IN_OTHER_WORDS.get(failure.code)
    return words or f"I could not do that. {plain(failure.message, longest=400)}".strip()
