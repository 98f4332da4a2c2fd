"""The scopes, in the words that a customer reads, and which resource takes which."""

from typing import Final

from delegation.scope import Scope

OPENID: Final = Scope({"openid", "profile"})
GRANT_MANAGEMENT: Final = Scope({"grant_management_query", "grant_management_revoke"})
"""What the customer's own app may do with grants (FAPI Grant Management §6)."""

SECURITY_EVENTS: Final = Scope({"ssf.read"})
"""What a resource needs to be told of tokens that have ended (CAEP Interoperability Profile 1.0 §2.7.3)."""

CHECKPOINTS: Final = Scope({"audit:checkpoint"})
"""What a service needs to have the head of its chain of records signed."""

READ_ACCOUNTS: Final = Scope({"account:read_balance", "account:read_transactions"})
TRANSFER: Final = Scope({"account:transfer"})
ALL_ACCOUNT: Final = Scope({*READ_ACCOUNTS, *TRANSFER})

DESCRIPTIONS: Final = {
    "account:read_balance": "See your accounts and their balances",
    "account:read_transactions": "See what came in and what went out of your accounts",
    "account:transfer": "Move money from your accounts, after asking you",
}
"""The permissions that a customer can delegate, in the order in which they are shown."""

SUPPORTED: Final = Scope({*OPENID, *GRANT_MANAGEMENT, *SECURITY_EVENTS, *CHECKPOINTS, *ALL_ACCOUNT})
