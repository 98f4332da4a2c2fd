"""The public page: what this is, how it works, and the way in."""

import streamlit as st

from banking_app.own_pages import Page, sign_on_address
from banking_app.parties import FLOW, PARTIES
from banking_app.rendering import render
from banking_app.services import Services


def draw(services: Services, page: Page, *, had_session: bool) -> None:
    """Draw the public page; signing on leads to `page`."""
    sign_on = sign_on_address(services.settings.public_url, page)
    st.html(render("landing.html", sign_on=sign_on, had_session=had_session))
    st.html(render("flow.html", flow=FLOW, parties=PARTIES))
