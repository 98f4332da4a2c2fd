"""What the customer has allowed the assistant, and how to take it back."""

from typing import Final

import streamlit as st

from banking_app.failures import Failure
from banking_app.grants_client import Grant
from banking_app.own_pages import Page, sign_on_address
from banking_app.rendering import render
from banking_app.screens.notice import show_failure
from banking_app.screens.visitor import Customer
from banking_app.services import Services
from delegation.trace import start_trace

_WITHDRAWN: Final = "withdrawn"


def draw(services: Services, who: Customer) -> None:
    """Draw the permissions. Raises `Failure` when they cannot be had."""
    start_trace()
    st.html(render("permissions.html", offered=services.grants.offered))
    if not services.grants.offered:
        return
    token, agent_id = services.tokens.issuer_token(who.session_id), services.settings.agent_id
    found = services.grants.grants_and_agent(token, agent_id)
    if agent := st.session_state.pop(_WITHDRAWN, None):
        st.html(render("withdrawn.html", agent=agent))
    allow = sign_on_address(services.settings.public_url, Page.PERMISSIONS, ask_consent=True)
    if not found.grants:
        st.html(render("no_grant.html", allow=allow, agent=found.agent))
    for grant in found.grants:
        with st.container(key=f"grant-{grant.grant_id}", border=True):
            st.html(render("grant.html", grant=grant))
            with st.container(horizontal=True, vertical_alignment="center"):
                if not grant.agent.is_stopped:
                    st.html(render("change_grant.html", change=allow), width="content")
                withdraw = st.button(
                    "Withdraw this permission", key=f"withdraw-{grant.grant_id}", icon=":material/block:"
                )
            if withdraw:
                _confirm(services, who, grant)


@st.dialog("Withdraw this permission?")
def _confirm(services: Services, who: Customer, grant: Grant) -> None:
    st.html(render("confirm_withdraw.html", agent=grant.agent.name))
    with st.container(horizontal=True):
        withdraw = st.button("Yes, withdraw it", type="primary", key="confirm-withdraw")
        keep = st.button("Keep it", key="keep")
    if withdraw:
        try:
            services.grants.withdraw(services.tokens.issuer_token(who.session_id), grant.grant_id)
        except Failure as failure:
            show_failure(services, failure, Page.PERMISSIONS)
            return
        services.assistant.end_delegation(who.session_id)
        st.session_state[_WITHDRAWN] = grant.agent.name
    if withdraw or keep:
        st.rerun()
