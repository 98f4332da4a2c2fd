"""What the model knows of the bank: only what tools have returned in this conversation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chatbot.offline_model.accounts import Account
from chatbot.offline_model.periods import Period
from chatbot.offline_model.transcript import ToolResult, Turn

PAGE: Final = 100
"""The most transactions that one call returns."""
_MAX_PAGES: Final = 3


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model wants made."""

    name: str
    arguments: Mapping[str, Any]


class ToolsNeeded(Exception):
    """The answer needs what these calls return."""

    def __init__(self, calls: Sequence[ToolCall]) -> None:
        super().__init__("tools needed")
        self.calls = calls


class ToolFailed(Exception):
    """A tool returned an error in place of a result."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__("a tool failed")
        self.code: str = str(error.get("code", ""))
        self.message: str = str(error.get("message", ""))
        self.details = error


class ToolMissing(Exception):
    """The request offers no such tool."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One account's transactions, newest first; `complete` is false when there are older ones."""

    account_id: str
    transactions: Sequence[Mapping[str, Any]]
    complete: bool


class Knowledge:
    """Results by what was asked. Asking for one that is not there raises `ToolsNeeded` or `ToolFailed`."""

    def __init__(self, turns: Sequence[Turn], tools: frozenset[str]) -> None:
        self._now = turns[-1].results
        self._ever = [result for turn in turns for result in turn.results]
        self._tools = tools

    def known_accounts(self) -> tuple[Account, ...]:
        """Return the accounts if they were ever listed, and else none; never needs a call."""
        for result in reversed(self._ever):
            if result.name == "list_accounts" and "accounts" in result.content:
                return tuple(Account.of(entry) for entry in result.content["accounts"])
        return ()

    def accounts(self) -> tuple[Account, ...]:
        """Return the accounts as they were last listed: good for names and numbers, not for balances."""
        if not any(r.name == "list_accounts" and "accounts" in r.content for r in self._ever):
            self.listed_accounts()
        return self.known_accounts()

    def known_payees(self) -> tuple[str, ...] | None:
        """Return the saved payees if the bank has named them, as it does when it refuses another; or None."""
        for result in reversed(self._ever):
            payees = result.content.get("error", {}).get("payees")
            if isinstance(payees, list):
                return tuple(str(name) for name in payees)
        return None

    def listed_accounts(self) -> Sequence[Mapping[str, Any]]:
        """Return the accounts with their balances as listed in this turn."""
        return list(self._results([ToolCall("list_accounts", {})])[0]["accounts"])

    def balances(self, account_ids: Iterable[str]) -> Sequence[Mapping[str, Any]]:
        """Return each account's balance as read in this turn."""
        return self._results([ToolCall("read_balance", {"account_id": each}) for each in account_ids])

    def statements(self, account_ids: Iterable[str], period: Period | None, limit: int) -> list[Statement]:
        """Return each account's transactions as read in this turn; several pages if `limit` is `PAGE`."""
        first = {
            each: ToolCall("read_transactions", _transactions(each, period, limit)) for each in account_ids
        }
        pages = {each: [page] for each, page in zip(first, self._results(list(first.values())), strict=True)}
        for _ in range(_MAX_PAGES - 1 if limit == PAGE else 0):
            cursors = {
                each: read[-1]["next_cursor"] for each, read in pages.items() if read[-1]["next_cursor"]
            }
            more = [
                ToolCall("read_transactions", {**first[each].arguments, "cursor": cursor})
                for each, cursor in cursors.items()
            ]
            for each, page in zip(cursors, self._results(more), strict=True):
                pages[each].append(page)
        return [_statement(each, read) for each, read in pages.items()]

    def transfer(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the receipt of the transfer made in this turn."""
        return self._results([ToolCall("transfer", arguments)])[0]

    def _results(self, calls: Sequence[ToolCall]) -> list[Mapping[str, Any]]:
        found = [self._result(call) for call in calls]
        for content in found:
            if content is not None and "error" in content:
                raise ToolFailed(content["error"])
        needed = [call for call, content in zip(calls, found, strict=True) if content is None]
        if needed:
            raise ToolsNeeded(needed)
        return [content for content in found if content is not None]

    def _result(self, call: ToolCall) -> Mapping[str, Any] | None:
        if call.name not in self._tools:
            raise ToolMissing(call.name)
        for result in self._now:
            if _same(result, call):
                return result.content or {
                    "error": {"code": "unreadable", "message": "I got no usable answer."}
                }
        return None


def _statement(account_id: str, pages: Sequence[Mapping[str, Any]]) -> Statement:
    entries = [entry for page in pages for entry in page["transactions"]]
    return Statement(account_id, entries, complete=not pages[-1]["next_cursor"])


def _same(result: ToolResult, call: ToolCall) -> bool:
    return result.name == call.name and dict(result.arguments) == dict(call.arguments)


def _transactions(account_id: str, period: Period | None, limit: int) -> dict[str, Any]:
    arguments: dict[str, Any] = {"account_id": account_id, "limit": limit}
    if period and period.start:
        arguments["from_date"] = period.start.isoformat()
    if period and period.end:
        arguments["to_date"] = period.end.isoformat()
    return arguments
