"""What was done for the customer, by whom: the services' own records in plain words."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from banking_app.activity import Deed, by_day, deeds
from banking_app.audit_records import AuditRecord
from banking_app.failures import Failure, SessionOver
from banking_app.parties import PARTIES
from banking_app.records_client import RecordsClient
from banking_app.rendering import render
from banking_app.screens.visitor import Customer
from banking_app.services import Services
from delegation.trace import start_trace

_PAGES: Final = "activity-pages"
_RESULTS: Final = {"all": "Everything", "permit": "Done", "deny": "Refused"}
_ANY: Final = "Any"
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def draw(services: Services, who: Customer) -> None:
    """Draw the activity. What one service does not show is said, and the rest is shown."""
    start_trace()
    pages = int(st.session_state.get(_PAGES, 1))
    tokens, assistant = services.tokens, services.assistant
    sources: dict[str, tuple[RecordsClient, Callable[[str], str]]] = {
        "auth_server": (assistant.auth_records, tokens.issuer_token),
        "account_api": (assistant.account_records, tokens.app_token),
    }
    records: list[AuditRecord] = []
    lacking: list[str] = []
    complete_since = _LONG_AGO
    for name, (client, token) in sources.items():
        try:
            found, more = _read(client, token(who.session_id), pages)
        except SessionOver:
            raise
        except Failure:
            lacking.append(PARTIES[name])
            continue
        records += found
        if more and found:
            complete_since = max(complete_since, found[-1].time)
    agents, accounts = _agents(services, who), _accounts(services, who)
    done = [deed for deed in deeds(records, agents, accounts) if deed.time >= complete_since]
    st.html(render("activity.html", lacking=lacking))
    shown = _filtered(done) if done else []
    st.html(render("deeds.html", by_day=by_day(shown), any=bool(done)))
    if complete_since > _LONG_AGO and st.button("Show older", key="older", icon=":material/expand_more:"):
        st.session_state[_PAGES] = pages + 1
        st.rerun()


def _read(client: RecordsClient, token: str, pages: int) -> tuple[list[AuditRecord], bool]:
    """Return so many pages of a service's records, and whether there are more."""
    found: list[AuditRecord] = []
    before: int | None = None
    for _ in range(pages if client.offered else 0):
        page, before = client.newest(token, before)
        found += page
        if before is None:
            break
    return found, before is not None


def _filtered(done: list[Deed]) -> list[Deed]:
    with st.container(key="filters", horizontal=True, gap="medium"):
        decision = st.segmented_control(
            "Show what was",
            list(_RESULTS),
            format_func=_RESULTS.__getitem__,
            default="all",
            required=True,
            key="activity-decision",
        )
        actors = list(dict.fromkeys(deed.actor for deed in done))
        actor = st.selectbox(
            "By which assistant",
            [_ANY, *actors],
            key="activity-actor",
            width=280,
        )
    return [deed for deed in done if decision in (None, "all", deed.decision) and actor in (_ANY, deed.actor)]


def _agents(services: Services, who: Customer) -> Mapping[str, str]:
    """Return the names of the agents that the customer allows something; the others go by identifier."""
    if not services.grants.offered:
        return {}
    try:
        grants = services.grants.grants(services.tokens.issuer_token(who.session_id))
    except Failure:
        return {}
    return {grant.agent.id: grant.agent.name for grant in grants}


def _accounts(services: Services, who: Customer) -> Mapping[str, str]:
    try:
        accounts = services.accounts.accounts(services.tokens.app_token(who.session_id))
    except Failure:
        return {}
    return {account.account_id: account.name for account in accounts}
