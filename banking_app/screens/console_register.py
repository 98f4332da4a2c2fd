"""The console's form for a new agent. Each field says in a sentence what it is for."""

from typing import Final

import streamlit as st

from banking_app.agent_form import MAX_SECONDS, AgentForm, Faults
from banking_app.failures import Failure, Refused
from banking_app.own_pages import Page
from banking_app.rendering import as_label, render
from banking_app.screens.console_confirm import MAX_REASON
from banking_app.screens.notice import show_failure
from banking_app.screens.visitor import Customer
from banking_app.services import Services

_PERMISSIONS: Final = {
    "account:read_balance": "See accounts and their balances",
    "account:read_transactions": "See what came in and what went out",
    "account:transfer": "Move money, after asking the customer",
}
_KEYS: Final = "Its public ES256 keys, each with a kid, as a JWK or a JWK set. Never a private key."
_KEYS_ADDRESS: Final = "Where it publishes its public keys (jwks_uri), and rotates them by itself."


def draw(services: Services, who: Customer) -> None:
    """Draw the form, and what became of it."""
    st.html(render("console_register.html", role=who.session.role))
    if who.session.role == "auditor":
        return
    with st.container(key="register"), st.form("register-agent", border=False, enter_to_submit=False):
        form = _fields(services, who)
        sent = st.form_submit_button("Register this agent", type="primary", key="register-send")
    if sent:
        _register(services, who, form)


def _fields(services: Services, who: Customer) -> AgentForm:
    _says("Who it is")
    agent_id = _text(
        "Identifier",
        "An https address that is its name in every token, for ever, and used once.",
        placeholder="https://card-agent.example.com",
    )
    name = _text("Name", "What customers read when they are asked to allow it.", placeholder="Card Assistant")
    purpose = _text("Purpose", "What it is for, in a sentence that an auditor understands.")
    owner = _text(
        "Who runs it",
        "The department that customers read on the consent page.",
        placeholder="Cards, Example Bank",
    )
    owner_sub = ""
    if who.session.role == "administrator":
        owner_sub = _text(
            "Answers for it",
            "The sign-on name of the member of staff who may change and suspend it.",
            placeholder="olivia@example.com",
        )
    _says("How it proves who it is")
    _help("Either it publishes its public keys, or you paste them: fill in one of the two.")
    jwks_uri = _text(
        "Address of its keys", _KEYS_ADDRESS, placeholder="https://card-agent.example.com/jwks.json"
    )
    jwks = _area("Public keys", _KEYS)
    _says("What it may do at most")
    audience = _text(
        "Audience", "The one service that its tokens are for.", value=services.settings.account_api_audience
    )
    _help("The most that a customer can allow it, who may allow less:")
    scopes = [name for name, says in _PERMISSIONS.items() if st.checkbox(as_label(says), key=f"new-{name}")]
    max_seconds = st.number_input(
        "Longest life of its tokens, in seconds", 1, MAX_SECONDS, MAX_SECONDS, key="new-max-seconds"
    )
    _help("A shorter life means that what it holds ends sooner by itself.")
    largest = _text(
        "Largest transfer",
        "The most that it may send at once, like 250.00, in the account's currency: its tokens say so, and "
        "the account API refuses more. Empty: no limit of its own.",
    )
    _says("Whom it may act for")
    _help(
        "Only for the customers named here and those in a group named here, and of them for those who allow "
        "it. With both fields empty there is no restriction: it may act for every customer who allows it."
    )
    customers = _area("Customers", "Sign-on names, one to a line.")
    groups = _area(
        "Groups", "Names of groups, one to a line, like pilot. Administrators say which customers are in one."
    )
    _says("When it begins")
    draft = st.checkbox("As a draft: it can do nothing until it is resumed", key="new-draft")
    reason = _text("Reason", "Why it is registered. It is kept in its history. May be empty.")
    return AgentForm(
        agent_id=agent_id,
        name=name,
        purpose=purpose,
        owner=owner,
        owner_sub=owner_sub,
        jwks_uri=jwks_uri,
        jwks=jwks,
        audience=audience,
        scopes=scopes,
        max_seconds=int(max_seconds),
        largest_transfer=largest,
        customers=customers,
        groups=groups,
        draft=draft,
        reason=reason,
    )


def _register(services: Services, who: Customer, form: AgentForm) -> None:
    """Send the form. On a fault everything that was typed stays, because the fields keep their values."""
    try:
        token = services.tokens.issuer_token(who.session_id)
        agent = services.administration.register(token, form.as_json())
    except Faults as faults:
        st.html(render("console_fault.html", faults=faults.said))
    except Refused as refused:
        st.html(render("console_fault.html", faults=refused.detail.splitlines()))
    except Failure as failure:
        show_failure(services, failure, Page.CONSOLE)
    else:
        st.html(render("console_registered_now.html", agent=agent))


def _text(label: str, says: str, *, value: str = "", placeholder: str = "") -> str:
    typed = st.text_input(label, value, key=f"new-{label}", max_chars=MAX_REASON, placeholder=placeholder)
    _help(says)
    return typed or ""


def _area(label: str, says: str) -> str:
    typed = st.text_area(label, key=f"new-{label}", max_chars=20_000, height=120)
    _help(says)
    return typed or ""


def _help(says: str) -> None:
    st.html(render("field_help.html", says=says))


def _says(title: str) -> None:
    st.html(render("form_part.html", title=title))
