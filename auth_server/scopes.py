"""The scopes, in the words that a customer reads, and which resource takes which."""

from collections.abc import Mapping
from typing import Final

from delegation.scope import Scope

OPENID: Final = Scope({"openid", "profile"})
GRANT_MANAGEMENT: Final = Scope({"grant_management_query", "grant_management_revoke"})
"""What the customer's own app may do with grants (FAPI Grant Management §6)."""

SECURITY_EVENTS: Final = Scope({"ssf.read"})
"""What a resource needs to be told of tokens that have ended (CAEP Interoperability Profile 1.0 §2.7.3)."""

ADMINISTRATION: Final = Scope({"agents:read", "agents:write", "audit:read"})
"""What staff may do at the administration API; which of it, their role says."""

ROLES: Final[Mapping[str, Scope]] = {
    "administrator": ADMINISTRATION,
    "owner": ADMINISTRATION,
    "auditor": ADMINISTRATION - {"agents:write"},
}
"""The roles of staff, each with what it permits. An owner has it for the agents that it answers for."""

CHECKPOINTS: Final = Scope({"audit:checkpoint"})
"""What a service needs to have the head of its chain of records signed."""

AUDIT: Final = Scope({"audit:read"})
AUDITORS: Final = frozenset({"administrator", "auditor"})
"""The roles that read everybody's records, also those of the gateway and the account API."""

READ_ACCOUNTS: Final = Scope({"account:read_balance", "account:read_transactions"})
TRANSFER: Final = Scope({"account:transfer"})
ALL_ACCOUNT: Final = Scope({*READ_ACCOUNTS, *TRANSFER})

DESCRIPTIONS: Final = {
    "account:read_balance": "See your accounts and their balances",
    "account:read_transactions": "See what came in and what went out of your accounts",
    "account:transfer": "Move money from your accounts, after asking you",
}
"""The permissions that a customer can delegate, in the order in which they are shown."""

CUSTOMERS: Final = Scope({*OPENID, *GRANT_MANAGEMENT, *ALL_ACCOUNT})
"""What a customer's tokens can carry."""

SUPPORTED: Final = Scope({*CUSTOMERS, *ADMINISTRATION, *SECURITY_EVENTS, *CHECKPOINTS})
