"""The console's search over the records of all services: what was done, for whom, and who allowed it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import streamlit as st

from banking_app.audit_export import as_csv, as_json_lines
from banking_app.audit_source import Question
from banking_app.audit_trail import AuditTrail, Found, allowed_by
from banking_app.audit_whole import MOST_EXPORTED, Export
from banking_app.parties import PARTIES
from banking_app.rendering import render
from banking_app.screens.visitor import Customer
from banking_app.services import Services

_FOUND: Final = "audit-found"
_EXPORT: Final = "audit-export"
_OPERATIONS: Final = (
    *("account.list", "account.read_balance", "account.read_transactions", "account.transfer"),
    *("token.exchange", "grant.give", "grant.withdraw", "agent.suspend", "agent.resume", "agent.retire"),
)
_ANY: Final = "Any"
_DECISIONS: Final = {"permit": "Allowed", "deny": "Refused"}


def draw(services: Services, who: Customer) -> None:
    """Draw the search, and what was found. A service that does not show its records is named."""
    trail = services.audit_trail
    missing = [PARTIES[name] for name in trail.not_offered]
    is_owner = who.session.role == "owner"
    st.html(render("console_audit.html", missing=missing, offered=trail.offered, is_owner=is_owner))
    if not trail.offered:
        return
    own = _own_agents(services, who)
    if is_owner:
        trail = trail.only("auth_server")
    if own is not None and not own:
        st.html(render("console_agents.html", agents=(), chosen="all", role=who.session.role))
        return
    question = _asked(own)
    found: Found | None = st.session_state.get(_FOUND)
    if question is not None or found is None:
        found = trail.search(who.session_id, question or Question(agent=own[0] if own else None))
        st.session_state[_FOUND] = found
        st.session_state.pop(_EXPORT, None)
    traces = found.traces
    given = trail.permissions(who.session_id, found.question)
    rows = [(trace, allowed_by(trace, given)) for trace in traces]
    st.html(
        render("console_traces.html", rows=rows, lacking=list(found.lacking.values()), more=bool(found.more))
    )
    with st.container(horizontal=True, key="audit-on"):
        if found.more and st.button("Show older", key="audit-older", icon=":material/expand_more:"):
            st.session_state[_FOUND] = trail.go_on(who.session_id, found)
            st.rerun()
        if traces:
            _draw_downloads(trail, who, found.question)


def _own_agents(services: Services, who: Customer) -> list[str] | None:
    """Return which agents an owner may ask about; None for the other roles, who may ask about everything."""
    if who.session.role != "owner" or not services.administration.offered:
        return None
    token = services.tokens.issuer_token(who.session_id)
    return [agent.agent_id for agent in services.administration.agents(token)]


def _asked(own: Sequence[str] | None) -> Question | None:
    """Draw the fields; return the question when it is asked just now."""
    with st.form("audit", border=False, enter_to_submit=True):
        who, what = st.columns(2), st.columns(4)
        sub = who[0].text_input(
            "Customer", key="audit-sub", placeholder="customer@example.com", max_chars=512
        )
        if own is None:
            agent = who[1].text_input(
                "Agent", key="audit-agent", placeholder="https://bank-agent.example.com", max_chars=512
            )
        else:
            agent = who[1].selectbox("Agent", own, key="audit-agent-own") or ""
        operation = what[0].selectbox(
            "Operation",
            [_ANY, *_OPERATIONS],
            key="audit-operation",
            accept_new_options=True,
        )
        decision = what[1].selectbox(
            "Decision",
            [_ANY, *_DECISIONS],
            format_func=lambda name: _DECISIONS.get(name, name),
            key="audit-decision",
        )
        first = what[2].date_input("From (UTC)", None, key="audit-from", format="YYYY-MM-DD")
        last = what[3].date_input("Until the end of (UTC)", None, key="audit-to", format="YYYY-MM-DD")
        trace_id = st.text_input(
            "Trace id", key="audit-trace", placeholder="32 hexadecimal digits", max_chars=32
        )
        if not st.form_submit_button("Search", type="primary", icon=":material/search:", key="audit-send"):
            return None
    return Question(
        sub=sub.strip() or None,
        agent=agent.strip() or None,
        operation=None if operation == _ANY else operation,
        decision=None if decision == _ANY else decision,
        since=_start(first),
        until=_start(last, days=1),
        trace_id=trace_id.strip().lower() or None,
    )


def _start(day: date | None, days: int = 0) -> datetime | None:
    return datetime.combine(day, time(), UTC) + timedelta(days=days) if day else None


def _draw_downloads(trail: AuditTrail, who: Customer, question: Question) -> None:
    """Read all that was asked for when that is wanted, and not only the pages that are shown."""
    if st.button("Prepare a download of everything found", key="audit-prepare", icon=":material/download:"):
        st.session_state[_EXPORT] = trail.export(who.session_id, question)
    export: Export | None = st.session_state.get(_EXPORT)
    if export is None:
        return
    st.html(render("console_export.html", **export_shown(export)))
    for label, data, name, kind in (
        ("Download as JSON lines", as_json_lines(export.traces), "records.jsonl", "application/jsonl"),
        ("Download as CSV", as_csv(export.traces), "records.csv", "text/csv"),
    ):
        st.download_button(label, data, name, kind, on_click="ignore", key=f"audit-{name}")


def export_shown(export: Export) -> dict[str, Any]:
    """Return what the page says of a download."""
    return {
        "count": export.count,
        "most": MOST_EXPORTED,
        "cut": [PARTIES[name] for name in export.cut],
        "lacking": list(export.lacking.values()),
    }
