"""Accounts with their balances, a balance over time, and what happened last."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final

import streamlit as st

from banking_app.account_client import Account, Transaction
from banking_app.balance_history import DayBalance, balance_history
from banking_app.rendering import as_label, render
from banking_app.screens.visitor import Customer
from banking_app.services import Services
from delegation.trace import start_trace

_DAYS: Final = 90
_RECENT: Final = 12
_KINDS: Final = {"checking": "Everyday money", "savings": "Set aside", "credit_card": "Card"}


def draw(services: Services, who: Customer) -> None:
    """Draw the overview. Raises `Failure` when the accounts cannot be had."""
    start_trace()
    today = services.clock().date()
    since = today - timedelta(days=_DAYS)
    token = services.tokens.app_token(who.session_id)
    accounts = services.accounts.accounts(token)
    first_name = who.session.name.split()[0]
    st.html(render("accounts.html", name=first_name, accounts=accounts, kinds=_KINDS))
    account = _chosen(accounts)
    if account is None:
        return
    transactions = services.accounts.transactions(token, account.account_id, since)
    chart, recent = st.columns([3, 2], gap="large")
    with chart, st.container(key="chart"):
        _draw_history(account, balance_history(transactions, account.balance, since, today))
    with recent:
        _draw_recent(account, transactions)


def _chosen(accounts: Sequence[Account]) -> Account | None:
    if not accounts:
        return None
    by_id = {account.account_id: account for account in accounts}
    chosen = st.segmented_control(
        "Account to look at",
        list(by_id),
        format_func=lambda account_id: as_label(by_id[account_id].name),
        default=accounts[0].account_id,
        required=True,
        key="account",
    )
    return by_id.get(chosen or "", accounts[0])


def _draw_history(account: Account, days: Sequence[DayBalance]) -> None:
    balances = [day.balance.amount_minor for day in days]
    lowest, highest = days[balances.index(min(balances))], days[balances.index(max(balances))]
    st.html(render("history.html", account=account, days=len(days) - 1, lowest=lowest, highest=highest))
    st.vega_lite_chart(_chart(days), width="stretch")


def _chart(days: Sequence[DayBalance]) -> dict[str, Any]:
    """Return the balance over time as a Vega-Lite chart; Streamlit's theme gives it its colours."""
    values = [
        {"Day": day.day.isoformat(), "Balance": day.balance.major, "Amount": str(day.balance)} for day in days
    ]
    return {
        "data": {"values": values},
        "height": 260,
        "mark": {"type": "area", "interpolate": "step-after", "opacity": 0.18, "line": {"strokeWidth": 2}},
        "encoding": {
            "x": {
                "field": "Day",
                "type": "temporal",
                "title": None,
                "axis": {"format": "%d %b", "tickCount": 6, "grid": False},
            },
            "y": {"field": "Balance", "type": "quantitative", "title": None, "axis": {"tickCount": 5}},
            "tooltip": [
                {"field": "Day", "type": "temporal", "format": "%d %B %Y"},
                {"field": "Amount", "title": "Balance"},
            ],
        },
    }


def _draw_recent(account: Account, transactions: Sequence[Transaction]) -> None:
    newest = transactions[:_RECENT]
    by_day: list[tuple[date, list[Transaction]]] = [
        (day, list(entries)) for day, entries in groupby(newest, key=lambda entry: entry.booked_at.date())
    ]
    st.html(render("transactions.html", account=account, by_day=by_day))
