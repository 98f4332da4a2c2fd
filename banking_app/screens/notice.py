"""A failure on a page: what the customer can do, and what the trainer should know."""

import logging
from typing import Final

import streamlit as st

from banking_app.asking import trouble_of
from banking_app.conversations import Trouble
from banking_app.failures import Failure
from banking_app.own_pages import Page, sign_on_address
from banking_app.rendering import render
from banking_app.services import Services

_log = logging.getLogger(__name__)
_UNEXPECTED: Final = Trouble(
    title=Failure.title,
    detail="This page could not be shown. Your accounts are not affected.",
    hint="The banking app's log has the details, at this time.",
)


def show_failure(services: Services, failure: Failure, page: Page) -> None:
    """Tell a failure in place of what could not be shown."""
    show_trouble(services, trouble_of(failure), page)


def show_unexpected(error: Exception) -> bool:
    """Tell an error that nobody foresaw, without its text; True keeps Streamlit from showing it."""
    _log.error("a page failed", exc_info=error)
    st.html(render("trouble.html", trouble=_UNEXPECTED, label="Start again", address="/"))
    return True


def show_trouble(services: Services, trouble: Trouble, page: Page) -> None:
    """Tell why something could not be done, with a link that is the way on from `page`."""
    public_url = services.settings.public_url
    label, address = {
        "try_again": ("Try again", page.value),
        "sign_on": ("Sign on again", sign_on_address(public_url, page)),
        "allow": ("Allow the assistant", sign_on_address(public_url, page, ask_consent=True)),
    }[trouble.way_on]
    st.html(render("trouble.html", trouble=trouble, label=label, address=address))
