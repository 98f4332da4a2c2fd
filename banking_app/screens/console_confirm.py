"""A confirmation in the console: what will happen, and a reason that has to be given."""

from collections.abc import Callable
from typing import Final

import streamlit as st

from banking_app.failures import Failure
from banking_app.own_pages import Page
from banking_app.rendering import render
from banking_app.screens.notice import show_failure
from banking_app.services import Services

MAX_REASON: Final = 512
"""The most characters that the administration API takes as a reason."""
_DONE: Final = "console-done"


def confirm(
    services: Services, title: str, says: str, yes: str, act: Callable[[str], str], *, key: str
) -> None:
    """Open a dialog that does something only with a yes and a reason.

    `says` is HTML; `act` is given the reason, does it, and returns what the page says then. It may raise
    `Failure`, which is told in the dialog, with what was typed still there.
    """

    @st.dialog(title)
    def dialog() -> None:
        st.html(says)
        with st.form(f"form-{key}", border=False, enter_to_submit=False):
            reason = st.text_area(
                "Reason",
                key=f"reason-{key}",
                max_chars=MAX_REASON,
                height=96,
                placeholder="Kept with your name in the history and in the records",
            )
            with st.container(horizontal=True):
                sure = st.form_submit_button(yes, type="primary", key=f"yes-{key}")
                no = st.form_submit_button("Leave it as it is", key=f"no-{key}")
        if no:
            st.rerun()
        if sure:
            _act(services, " ".join(reason.split()), act)

    dialog()


def show_done() -> None:
    """Say what was done just now, once."""
    if done := st.session_state.pop(_DONE, None):
        st.html(render("console_done.html", done=done))


def _act(services: Services, reason: str, act: Callable[[str], str]) -> None:
    if not reason:
        st.html(render("console_fault.html", faults=["Give a reason: it is kept in the history."]))
        return
    try:
        st.session_state[_DONE] = act(reason)
    except Failure as failure:
        show_failure(services, failure, Page.CONSOLE)
        return
    st.rerun()
