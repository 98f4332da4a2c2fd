"""The bank behind the gateway, as the chatbot's tests need it: one customer's, in the account API's form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROBLEMS = "https://delegation-bank.example/problems/"
PAYEES = ["City Energy", "Green Landlord", "Maria Lopez", "Sam Okafor"]
ACCOUNT_IDS = ("4001-01", "4001-02", "4001-03")

_ACCOUNTS = (
    ("4001-01", "Checking", "checking", 234050, 284050),
    ("4001-02", "Savings", "savings", 1020000, 1020000),
    ("4001-03", "Credit card", "credit_card", -31020, 268980),
)
_TRANSACTIONS: dict[str, tuple[tuple[str, str, str, str, int], ...]] = {
    "4001-01": (
        ("2026-03-16", "Green Market", "Groceries", "groceries", -4210),
        ("2026-03-15", "Harbor Insurance", "Household insurance", "insurance", -4120),
        ("2026-03-12", "Maria Lopez", "Shared holiday fund", "transfer", -4000),
        ("2026-03-01", "Green Landlord", "Rent", "housing", -105000),
        ("2026-02-27", "Credit card", "Credit card statement", "card repayment", -20000),
        ("2026-02-26", "Savings", "Monthly saving", "savings", -30000),
        ("2026-02-25", "Northwind Software", "Salary", "income", 298540),
        ("2026-02-10", "StreamBox", "Subscription", "subscriptions", -1299),
        ("2026-02-08", "Corner Grocer", "Groceries", "groceries", -2345),
        ("2026-02-01", "Green Landlord", "Rent", "housing", -105000),
        ("2025-10-10", "StreamBox", "Subscription", "subscriptions", -1299),
    ),
    "4001-02": (("2026-02-26", "Checking", "Monthly saving", "savings", 30000),),
    "4001-03": (
        ("2026-03-14", "Trattoria Gino", "Dinner", "eating out", -4800),
        ("2026-02-27", "Checking", "Credit card statement", "card repayment", 20000),
        ("2026-02-14", "Intercity Rail", "Ticket", "transport", -3990),
    ),
}


@dataclass
class Bank:
    """Answers like the account API. Every amount is `factor` times that of the table above."""

    factor: int = 1
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The transfers made, by idempotency key."""

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: Any, key: str | None
    ) -> tuple[int, dict[str, Any]]:
        accounts = {account["account_id"]: account for account in self._accounts()}
        if method == "POST":
            return self._transfer(body, key or "", accounts)
        if path == "/accounts":
            return 200, {"accounts": list(accounts.values())}
        _, _, account_id, what = path.split("/")
        if account_id not in accounts:
            return problem(404, "account-not-found", "The customer has no account with this id.")
        if what == "balance":
            return 200, accounts[account_id] | {"as_of": "2026-03-17T12:00:00Z"}
        return 200, self._transactions(account_id, query)

    def _accounts(self) -> list[dict[str, Any]]:
        return [
            {
                "account_id": account_id,
                "name": name,
                "type": kind,
                "balance": self._money(balance),
                "available": self._money(available),
            }
            for account_id, name, kind, balance, available in _ACCOUNTS
        ]

    def _transactions(self, account_id: str, query: Mapping[str, str]) -> dict[str, Any]:
        first, last = query.get("from", ""), query.get("to", "9999")
        entries = [entry for entry in _TRANSACTIONS[account_id] if first <= entry[0] <= last]
        begin, limit = int(query.get("cursor", "0")), int(query["limit"])
        return {
            "account_id": account_id,
            "transactions": [
                {
                    "transaction_id": f"{account_id}/{day}",
                    "booked_at": f"{day}T09:00:00Z",
                    "counterparty": counterparty,
                    "description": description,
                    "category": category,
                    "amount": self._money(amount),
                    "balance_after": self._money(0),
                }
                for day, counterparty, description, category, amount in entries[begin : begin + limit]
            ],
            "next_cursor": str(begin + limit) if len(entries) > begin + limit else None,
        }

    def _transfer(
        self, order: Any, key: str, accounts: Mapping[str, dict[str, Any]]
    ) -> tuple[int, dict[str, Any]]:
        names = {name.lower(): ("payee", name) for name in PAYEES}
        names |= {account_id: ("own_account", account["name"]) for account_id, account in accounts.items()}
        paying, to = accounts.get(order["from_account"]), names.get(order["to"].lower())
        if paying is None:
            return problem(404, "account-not-found", "The customer has no account with this id.")
        if to is None:
            return problem(422, "recipient-unknown", "The recipient is not a saved payee.", payees=PAYEES)
        if order["amount"]["amount_minor"] > paying["available"]["amount_minor"]:
            return problem(422, "insufficient-funds", "The amount is more than what is available.")
        self.orders.setdefault(key, order)
        return 201, {
            "transfer_id": "a-transfer",
            "from_account": order["from_account"],
            "to": {"kind": to[0], "name": to[1]},
            "amount": order["amount"],
            "memo": order.get("memo"),
            "booked_at": "2026-03-17T12:00:00Z",
            "balance_after": self._money(100000),
        }

    def _money(self, minor: int) -> dict[str, Any]:
        return {"amount_minor": minor * self.factor, "currency": "EUR"}


def problem(status: int, kind: str, detail: str, **members: Any) -> tuple[int, dict[str, Any]]:
    """A problem document as the account API writes it."""
    return status, {"type": PROBLEMS + kind, "title": kind, "status": status, "detail": detail, **members}
