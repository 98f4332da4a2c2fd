"""What all pages share: the theme, the bar at the top, and who may see what."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import streamlit as st

from banking_app.failures import Failure
from banking_app.own_pages import Page
from banking_app.rendering import render
from banking_app.screens import assistant, landing, overview, permissions
from banking_app.screens.notice import show_failure
from banking_app.screens.visitor import Customer, visitor
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
    st.set_page_config(
        page_title="Example Bank", page_icon=_STATIC / "icon.svg", layout="wide", menu_items={}
    )
    for sheet in ("tokens.css", "pages.css"):
        st.html(_STATIC / sheet)
    who = visitor(services)
    pages = {page: _page(services, page) for page in _PAGES}
    current = st.navigation(list(pages.values()), position="hidden")
    if isinstance(who, Customer):
        _top_bar(pages, who)
        current.run()
    else:
        landing.draw(services, _path_of(current), had_session=who.had_session)


def _page(services: Services, page: Page) -> st.Page:
    title, icon, draw = _PAGES[page]

    def run() -> None:
        who = visitor(services)
        if not isinstance(who, Customer):
            landing.draw(services, page, had_session=who.had_session)
            return
        try:
            draw(services, who)
        except Failure as failure:
            show_failure(services, failure, page)

    return st.Page(run, title=title, icon=icon, url_path=page.strip("/"), default=page is Page.OVERVIEW)


def _path_of(page: st.Page) -> Page:
    return Page(f"/{page.url_path}")


def _top_bar(pages: dict[Page, st.Page], who: Customer) -> None:
    with st.container(key="topbar", horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(render("brand.html"), width="content")
        with st.container(key="topnav", horizontal=True, width="content", gap="small"):
            for page in pages.values():
                st.page_link(page, width="content")
        st.html(
            render("customer.html", name=who.session.name, csrf_token=who.session.csrf_token), width="content"
        )
