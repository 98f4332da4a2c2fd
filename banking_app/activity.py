"""What agents did for a customer, in plain words, out of the services' own records."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Final, Literal

from banking_app.audit_records import AuditRecord, Trace, traces

_ACCOUNT: Final = re.compile(r"/accounts/([^/?]+)")
_OF_MCP: Final = "mcp."
_DONE: Final = {
    "account.list": "looked up your accounts",
    "account.read_balance": "read the balance of {account}",
    "account.read_transactions": "read the transactions of {account}",
    "account.transfer": "sent a transfer",
}
_WANTED: Final = {
    "account.list": "wanted to look up your accounts",
    "account.read_balance": "wanted to read the balance of {account}",
    "account.read_transactions": "wanted to read the transactions of {account}",
    "account.transfer": "wanted to send a transfer",
}
_WHY: Final = (
    ("not active", "the bank had stopped the assistant"),
    ("invalid_client", "the bank did not accept the assistant itself"),
    ("invalid_scope", "you have not allowed it this"),
    ("does not allow this agent", "you have not allowed it anything, or no longer"),
    ("may not act for this customer", "the bank does not let this assistant act for you"),
)
"""What the most frequent reasons mean for a customer; the reason itself stands beside it."""
_FOR_SCOPE: Final = {
    "account:read_balance": "see your balances",
    "account:read_transactions": "see your transactions",
    "account:transfer": "send a transfer",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that an agent did for the customer, or wanted to."""

    time: datetime
    actor: str
    words: str
    decision: Literal["permit", "deny"]
    reason: str
    trace_id: str

    @property
    def why(self) -> str:
        """Return in plain words why it was refused, empty where only the reason itself says it."""
        return next((words for part, words in _WHY if part in self.reason), "")


def deeds(
    records: Iterable[AuditRecord], agents: Mapping[str, str], accounts: Mapping[str, str]
) -> tuple[Deed, ...]:
    """Return what agents did, newest first. `agents` and `accounts` are names by identifier.

    What the account API did counts; an exchange stands for itself only where it was refused, or where the
    token that it gave was used for nothing that is known.
    """
    found = [deed for trace in traces(records) for deed in _of_trace(trace, agents, accounts)]
    return tuple(sorted(found, key=lambda deed: deed.time, reverse=True))


def by_day(found: Iterable[Deed]) -> list[tuple[date, list[Deed]]]:
    """Return them by day (UTC), in their order."""
    return [(day, list(of_day)) for day, of_day in groupby(found, key=lambda deed: deed.time.date())]


def _of_trace(trace: Trace, agents: Mapping[str, str], accounts: Mapping[str, str]) -> Iterable[Deed]:
    # A look at which tools there are is no deed: gateways look too, with the token that they were given.
    acts = [record for record in trace.records if record.actor and not record.operation.startswith(_OF_MCP)]
    executed = {record.jti for record in acts if record.service == "account_api"}
    for record in acts:
        issued = record.service == "auth_server"
        if issued and (record.operation != "token.exchange" or _is_used(record, executed)):
            continue
        actor = agents.get(record.actor or "", record.actor or "")
        words = _issued(record) if issued else _carried_out(record, accounts)
        yield Deed(record.time, actor, words, record.decision, record.reason, record.trace_id)


def _is_used(record: AuditRecord, executed: set[str | None]) -> bool:
    return record.decision == "permit" and record.jti in executed


def _issued(record: AuditRecord) -> str:
    purpose = " and ".join(_FOR_SCOPE.get(name, name) for name in record.scope.split()) or "act for you"
    return f"got a token to {purpose}" if record.decision == "permit" else f"wanted to {purpose}"


def _carried_out(record: AuditRecord, accounts: Mapping[str, str]) -> str:
    said = (_DONE if record.decision == "permit" else _WANTED).get(record.operation)
    if said is None:
        return f"{'did' if record.decision == 'permit' else 'wanted'} {record.operation}"
    match = _ACCOUNT.search(record.resource or "")
    account = accounts.get(match[1], match[1]) if match else "an account"
    return said.format(account=account)
