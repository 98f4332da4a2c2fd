"""What all pages share: the theme, the bar at the top, and who may see what."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import streamlit as st

from banking_app.failures import Failure
from banking_app.own_pages import Page
from banking_app.rendering import render
from banking_app.screens import assistant, landing, overview, permissions, staff
from banking_app.screens.notice import show_failure
from banking_app.screens.visitor import Customer, Stranger, visitor
from banking_app.services import Services

_STATIC: Final = Path(__file__).parents[1] / "static"
_Draw = Callable[[Services, Customer], None]
_PAGES: Final[dict[Page, tuple[str, str, _Draw]]] = {
    Page.OVERVIEW: ("Overview", ":material/account_balance_wallet:", overview.draw),
    Page.ASSISTANT: ("Assistant", ":material/forum:", assistant.draw),
    Page.PERMISSIONS: ("Permissions", ":material/key:", permissions.draw),
}


def show(services: Services) -> None:
    """Draw the page that the address names."""
    for sheet in ("tokens.css", "pages.css"):
        st.html(_STATIC / sheet)
    who = visitor(services)
    pages = {page: _page(services, page, who) for page in _PAGES}
    current = st.navigation(list(pages.values()), position="hidden")
    st.set_page_config(
        page_title=f"{current.title} · Example Bank", page_icon=_STATIC / "icon.svg", layout="wide"
    )
    if isinstance(who, Customer):
        _top_bar(pages, who)
    current.run()


def _page(services: Services, page: Page, who: Customer | Stranger) -> st.Page:
    title, _, draw = _PAGES[page]

    def run() -> None:
        if isinstance(who, Stranger):
            landing.draw(services, page, had_session=who.had_session)
            return
        try:
            (staff.draw if who.session.role else draw)(services, who)
        except Failure as failure:
            show_failure(services, failure, page)

    # No icon here: Streamlit would make it the tab's, and fetch that from a foreign server.
    return st.Page(run, title=title, url_path=page.strip("/"), default=page is Page.OVERVIEW)


def _top_bar(pages: dict[Page, st.Page], who: Customer) -> None:
    with st.container(key="topbar", horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(render("brand.html"), width="content")
        with st.container(key="topnav", horizontal=True, width="content", gap="small"):
            for page, (_, icon, _) in _PAGES.items():
                if page is Page.OVERVIEW or not who.session.role:
                    st.page_link(pages[page], icon=icon, width="content")
        st.html(
            render("customer.html", name=who.session.name, csrf_token=who.session.csrf_token), width="content"
        )
