"""Who looks at the page, by the cookie that came with the page's connection."""

from dataclasses import dataclass

import streamlit as st

from banking_app.services import Services
from banking_app.session_store import Session


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer with a live session, or a member of staff: then the session has a role."""

    session_id: str
    session: Session


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody without one. `had_session`: the browser still holds the cookie of a session that has ended."""

    had_session: bool


def visitor(services: Services) -> Customer | Stranger:
    """Return who looks at the page; asked anew on every run, so that an ended session ends the page."""
    session_id = st.context.cookies.get(services.cookies.session, "")
    session = services.sessions.find(session_id) if session_id else None
    return Customer(session_id, session) if session else Stranger(had_session=bool(session_id))
