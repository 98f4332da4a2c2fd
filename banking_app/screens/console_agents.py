"""The console's first view: every agent that the member of staff may see."""

from typing import Final

import streamlit as st

from banking_app.administration_client import STATES
from banking_app.rendering import render
from banking_app.screens.visitor import Customer
from banking_app.services import Services

_ALL: Final = "all"


def draw(services: Services, who: Customer) -> None:
    """Draw the agents, all or those in one state."""
    agents = services.administration.agents(services.tokens.issuer_token(who.session_id))
    counts = {_ALL: len(agents)} | {state: sum(agent.state == state for agent in agents) for state in STATES}
    chosen = st.segmented_control(
        "Show agents that are",
        list(counts),
        format_func=lambda state: f"{state.capitalize()} ({counts[state]})",
        default=_ALL,
        required=True,
        key="state",
    )
    shown = [agent for agent in agents if chosen in (None, _ALL, agent.state)]
    st.html(render("console_agents.html", agents=shown, chosen=chosen or _ALL, role=who.session.role))
