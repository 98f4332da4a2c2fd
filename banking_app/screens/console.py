"""The staff console: which agents there are, what each does, and how one is stopped now.

It only shows what the authorization server gives the member of staff who looks, and asks it for every change.
"""

from collections.abc import Callable
from typing import Final

import streamlit as st

from banking_app.rendering import render
from banking_app.screens import console_agent, console_agents, console_audit, console_register
from banking_app.screens.visitor import Customer
from banking_app.services import Services
from delegation.trace import start_trace

_VIEWS: Final[dict[str, tuple[str, Callable[[Services, Customer], None]]]] = {
    "agents": ("Agents", console_agents.draw),
    "register": ("Register", console_register.draw),
    "audit": ("Audit", console_audit.draw),
}


def draw(services: Services, who: Customer) -> None:
    """Draw the view that the address names. Raises `Failure` when what it shows cannot be had."""
    start_trace()
    if who.session.role is None:
        st.html(render("console_for_staff.html"))
        return
    view = st.query_params.get("view", "agents")
    agent_id = st.query_params.get("agent", "")
    chosen = "" if agent_id else view if view in _VIEWS else "agents"
    names = {name: title for name, (title, _) in _VIEWS.items()}
    if who.session.role == "auditor":
        del names["register"]
    st.html(render("console_head.html", views=names, chosen=chosen, role=who.session.role))
    if not services.administration.offered:
        st.html(render("console_not_offered.html"))
    elif agent_id:
        console_agent.draw(services, who, agent_id)
    else:
        _VIEWS[chosen][1](services, who)
