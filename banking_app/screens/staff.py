"""What a member of staff sees in the place of a customer's pages."""

import streamlit as st

from banking_app.rendering import render
from banking_app.screens.visitor import Customer
from banking_app.services import Services


def draw(_services: Services, who: Customer) -> None:
    """Say that there are no accounts, and where agents are looked after."""
    st.html(render("staff.html", name=who.session.name.split()[0], role=who.session.role))
