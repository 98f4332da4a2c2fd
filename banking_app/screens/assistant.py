"""The chat, and under each answer what happened for it."""

from contextlib import closing
from typing import Final

import streamlit as st

from banking_app.conversations import Turn
from banking_app.failures import Failure
from banking_app.own_pages import Page
from banking_app.rendering import render
from banking_app.screens.notice import show_failure, show_trouble
from banking_app.screens.visitor import Customer
from banking_app.services import Services
from banking_app.steps_view import hints, hood

_SUGGESTIONS: Final = (
    "What is my balance?",
    "And my savings?",
    "Show my last five transactions",
    "Send 25 euros to Maria Lopez",
)


def draw(services: Services, who: Customer) -> None:
    """Draw the conversation so far, and answer what was asked just now."""
    turns = services.conversations.of(who.session.sub).turns
    _draw_head(services, who, can_clear=bool(turns))
    for turn in turns:
        _draw_turn(services, turn, expanded=turn is turns[-1])
    live = st.container()
    suggested = _suggestion()
    # No max_chars: with it, a text that is too long vanishes without a word. The answer says it instead.
    typed = st.chat_input("Ask about your accounts", key="question", submit_mode="disable")
    question = suggested or (str(typed).strip() if typed else "")
    if question:
        with live:
            _answer(services, who, question)


def _draw_head(services: Services, who: Customer, *, can_clear: bool) -> None:
    with st.container(key="chathead", horizontal=True, vertical_alignment="bottom"):
        st.html(render("assistant.html"))
        if can_clear and st.button("Clear", key="clear", type="tertiary", icon=":material/delete_sweep:"):
            _clear(services, who)


def _clear(services: Services, who: Customer) -> None:
    try:
        services.assistant.forget(who.session_id, who.session.sub)
    except Failure as failure:
        show_failure(services, failure, Page.ASSISTANT)
        return
    st.rerun()


def _suggestion() -> str:
    with st.container(key="suggestions", horizontal=True, gap="small"):
        for suggestion in _SUGGESTIONS:
            if st.button(suggestion, key=f"suggest-{suggestion}"):
                return suggestion
    return ""


def _answer(services: Services, who: Customer, question: str) -> None:
    slot = st.empty()
    # Closed even when the customer clicks elsewhere meanwhile: what has come so far is then kept.
    with closing(services.assistant.ask(who.session_id, who.session, question)) as turns:
        for turn in turns:
            with slot.container():
                _draw_turn(services, turn, expanded=None)
    st.rerun()


def _draw_turn(services: Services, turn: Turn, *, expanded: bool | None) -> None:
    with st.chat_message("You", avatar=":material/person:"):
        st.html(render("said.html", text=turn.question))
    with st.chat_message("Assistant", avatar=":material/smart_toy:"):
        if turn.answer or (expanded is None and not turn.trouble):
            st.html(render("said.html", text=turn.answer or "…"))
        if turn.trouble:
            show_trouble(services, turn.trouble, Page.ASSISTANT)
        for hint in hints(turn):
            st.html(render("hint.html", hint=hint))
        st.html(render("steps.html", hood=hood(turn), expanded=expanded))
