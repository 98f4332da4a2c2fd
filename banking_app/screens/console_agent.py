"""One agent in the console: what is registered, what it was allowed and did, and how to stop it."""

from typing import Final, Literal

import streamlit as st

from banking_app.administration_client import Agent, AgentGrant, Transition
from banking_app.rendering import render
from banking_app.screens import console_activity
from banking_app.screens.console_confirm import confirm, show_done
from banking_app.screens.visitor import Customer
from banking_app.services import Services

_LABELS: Final[dict[Transition, tuple[str, str]]] = {
    "suspend": ("Suspend this agent", ":material/pause_circle:"),
    "resume": ("Resume this agent", ":material/play_circle:"),
    "retire": ("Retire it for ever", ":material/block:"),
}
_WRITERS: Final = frozenset({"administrator", "owner"})


def draw(services: Services, who: Customer, agent_id: str) -> None:
    """Draw the agent. Raises `Failure` when it cannot be had."""
    token = services.tokens.issuer_token(who.session_id)
    agent = services.administration.agent(token, agent_id)
    grants = services.administration.grants(token, agent_id)
    may_write = who.session.role in _WRITERS
    show_done()
    st.html(render("console_agent.html", agent=agent, may_write=may_write, role=who.session.role))
    if may_write:
        _draw_transitions(services, who, agent)
    st.html(render("console_registered.html", agent=agent))
    console_activity.draw(services, who, agent)
    st.html(render("console_grants.html", numbers=grants.numbers, count=len(grants.grants)))
    for grant in grants.grants:
        _draw_grant(services, who, agent, grant, may_write=may_write)
    _draw_history(services, token, agent)


def _draw_history(services: Services, token: str, agent: Agent) -> None:
    pages = f"history-{agent.agent_id}"
    found = services.administration.history(token, agent, int(st.session_state.get(pages, 0)))
    more = found.earlier is not None
    st.html(render("console_history.html", history=tuple(reversed(found.history)), more=more))
    if more and st.button("Show earlier", key="earlier", icon=":material/expand_more:"):
        st.session_state[pages] = int(st.session_state.get(pages, 0)) + 1
        st.rerun()


def _draw_transitions(services: Services, who: Customer, agent: Agent) -> None:
    with st.container(key="transitions", horizontal=True):
        for number, transition in enumerate(agent.transitions_for(who.session.role)):
            label, icon = _LABELS[transition]
            kind: Literal["primary", "secondary"] = "secondary" if number else "primary"
            if st.button(label, key=f"ask-{transition}", icon=icon, type=kind):
                _confirm_transition(services, who, agent, transition)


def _confirm_transition(services: Services, who: Customer, agent: Agent, transition: Transition) -> None:
    def act(reason: str) -> str:
        token = services.tokens.issuer_token(who.session_id)
        changed = services.administration.change_state(token, agent.agent_id, transition, reason)
        return f"{changed.name} is {changed.state} now. It counts from the next request on."

    label, _ = _LABELS[transition]
    says = render("confirm_transition.html", agent=agent, transition=transition)
    yes = f"Yes, {label[0].lower()}{label[1:]}"
    confirm(services, f"{label}?", says, yes, act, key=transition)


def _draw_grant(
    services: Services, who: Customer, agent: Agent, grant: AgentGrant, *, may_write: bool
) -> None:
    with st.container(key=f"of-{grant.grant_id}", horizontal=True, vertical_alignment="center"):
        st.html(render("console_grant.html", grant=grant))
        if may_write and st.button("Withdraw", key=f"end-{grant.grant_id}", icon=":material/block:"):
            _confirm_withdrawal(services, who, agent, grant)


def _confirm_withdrawal(services: Services, who: Customer, agent: Agent, grant: AgentGrant) -> None:
    def act(reason: str) -> str:
        token = services.tokens.issuer_token(who.session_id)
        services.administration.withdraw_grant(token, grant.grant_id, reason)
        return f"Withdrawn. {agent.name} may do nothing for {grant.customer} now."

    says = render("confirm_grant_withdrawal.html", agent=agent, grant=grant)
    confirm(services, "Withdraw this grant?", says, "Yes, withdraw it", act, key="grant")
