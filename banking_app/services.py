"""Everything that pages need, wired once per process."""

from dataclasses import dataclass

from banking_app.account_client import AccountClient
from banking_app.administration_client import AdministrationClient
from banking_app.asking import Assistant
from banking_app.audit_trail import AuditTrail
from banking_app.conversations import Conversations
from banking_app.cookies import Cookies
from banking_app.grants_client import GrantsClient
from banking_app.session_store import SessionStore
from banking_app.settings import Settings
from banking_app.tokens import SessionTokens
from delegation.clock import Clock


@dataclass(frozen=True)
class Services:
    """The parts of the app that a Streamlit script works with."""

    settings: Settings
    clock: Clock
    cookies: Cookies
    sessions: SessionStore
    tokens: SessionTokens
    conversations: Conversations
    accounts: AccountClient
    grants: GrantsClient
    assistant: Assistant
    administration: AdministrationClient
    audit_trail: AuditTrail


class _Installed:
    services: Services | None = None


def install(services: Services) -> None:
    """Make these the process's services.

    Streamlit runs its script by path and hands it nothing, and it allows one app per process: so the script
    has to find its services in the process.
    """
    _Installed.services = services


def installed() -> Services:
    """Return the process's services.

    Raises:
        RuntimeError: the script was started without the app around it.
    """
    if _Installed.services is None:
        raise RuntimeError("start the app with: uvicorn banking_app.app:create_app --factory")
    return _Installed.services
