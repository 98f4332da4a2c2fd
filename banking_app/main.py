"""The script that Streamlit runs anew for every interaction of every customer."""

from banking_app.screens.frame import show
from banking_app.services import installed

show(installed())
