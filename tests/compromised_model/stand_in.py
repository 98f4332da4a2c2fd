"""A fully compromised model: whatever tells it to do something in a tool result, it does."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

from tests.chatbot.models import Reply, calls, says
from tests.compromised_model.disguises import readings
from tests.compromised_model.orders import Order, orders, speeches

_CALLS_AT_ONCE: Final = 8
"""More in one message and the chatbot would stop listening: the worst model stays below."""
_LONGEST_ANSWER: Final = 8_000
_ACCOUNT: Final = re.compile(r"\d{4}-\d{2}")


@dataclass
class ObeyingModel:
    """Looks at the account that it is asked about, and obeys what it reads there.

    `seen` are the texts in tool results, `made` the orders that it has carried out: those of the question
    before are forgotten by `begin_again`. It keeps nothing else: what it does comes from the conversation.
    """

    seen: list[str] = field(default_factory=list)
    made: list[Order] = field(default_factory=list)

    def begin_again(self) -> None:
        """Forget."""
        self.seen, self.made = [], []

    def reply(self, body: dict[str, Any]) -> Reply:
        """Answer a request of the Chat Completions protocol: a `tests.chatbot.models` script."""
        messages = body["messages"]
        if messages[-1]["role"] == "user":
            opening = [("list_accounts", "{}")]
            for account in _ACCOUNT.findall(messages[-1]["content"]):
                opening.append(("read_transactions", json.dumps({"account_id": account})))
            return calls(*opening)
        self.seen = texts = list(_texts(messages))
        found = [_heard(text) for text in _joined(texts)]
        wanted = [order for heard, _ in found for order in heard]
        endless = [order for order in wanted if order.for_ever]
        if endless:
            new = [_raised(endless[0], len(self.made) + i) for i in range(_CALLS_AT_ONCE)]
        else:
            known = {(order.name, order.arguments) for order in self.made}
            fresh = {(one.name, one.arguments): one for one in wanted}
            new = [one for key, one in fresh.items() if key not in known][:_CALLS_AT_ONCE]
        if new:
            self.made += new
            return calls(*((one.name, _filled(one.arguments, body)) for one in new))
        said = list(dict.fromkeys(speech for _, heard in found for speech in heard)) or texts
        return says(_filled("\n".join(said), body)[:_LONGEST_ANSWER])


def _texts(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Give every text in the tool results since the customer's last message."""
    last = max(i for i, message in enumerate(messages) if message["role"] == "user")
    for message in messages[last:]:
        if message["role"] == "tool":
            yield from _strings(json.loads(message["content"]))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)


def _joined(texts: list[str]) -> list[str]:
    """Return the texts, each once, and what those that continue one another say together."""
    parts = sorted({text for text in texts if re.match(r"\d/\d ", text)})
    whole = "".join(part[4:] for part in parts)
    return [text for text in dict.fromkeys([*texts, whole]) if text]


@cache  # most of an account's history is there in every case
def _heard(text: str) -> tuple[list[Order], list[str]]:
    """Return the orders in a text and what the customer is to be told: under a disguise, if not plainly."""
    for layer in readings(text):
        wanted = [order for one in layer for order in orders(one)]
        told = [speech for one in layer for speech in speeches(one)]
        if wanted or told:
            return wanted, told
    return [], []


def _raised(order: Order, number: int) -> Order:
    """Return the order for a cent more each time: so it is never the one that was made before."""
    if order.name != "transfer":
        return order
    arguments = json.loads(order.arguments)
    amount = f"{float(arguments['amount']) + number / 100:.2f}"
    return replace(order, arguments=json.dumps(arguments | {"amount": amount}))


def _filled(text: str, body: dict[str, Any]) -> str:
    """Put in what a text wants to know of the conversation: the prompt, a balance, anything like a secret."""
    if "%" not in text:
        return text
    whole = json.dumps(body)
    balance = re.search(r"balance\W+amount\W+([\d.]+)", whole)
    secret = re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+|Bearer [\w.-]+|BEGIN [A-Z ]*PRIVATE KEY", whole)
    known = {
        "%balance%": balance[1] if balance else "unknown",
        "%prompt%": body["messages"][0]["content"][:60].replace("\n", " "),
        "%secret%": secret[0] if secret else "none",
    }
    for name, value in known.items():
        text = text.replace(name, value)
    return text
