"""Clients (RFC 7591 §2 names their metadata): the banking app, and agents as the registry has them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from authlib.oauth2.rfc6749 import ClientMixin

from auth_server.scopes import (
    ADMINISTRATION,
    ALL_ACCOUNT,
    AUDIT,
    CHECKPOINTS,
    GRANT_MANAGEMENT,
    OPENID,
    READ_ACCOUNTS,
    SECURITY_EVENTS,
)
from auth_server.settings import Settings
from delegation.scope import Scope
from delegation.token_exchange import GRANT_TYPE as TOKEN_EXCHANGE

AGENT_GRANTS: Final = frozenset({"client_credentials", TOKEN_EXCHANGE})


@dataclass(frozen=True, kw_only=True)
class Client(ClientMixin):
    """A client that authenticates with its own key (`private_key_jwt`) and nothing else.

    `resources` says for which audiences the client may get tokens, and with which scope at most; `may_allow`
    what it may ask customers to allow an agent. Its keys are at `jwks_uri`, or are `jwks` themselves.
    """

    client_id: str
    name: str
    owner: str
    jwks_uri: str | None = None
    jwks: tuple[Mapping[str, Any], ...] = ()
    grant_types: frozenset[str]
    resources: Mapping[str, Scope]
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    may_allow: Scope = Scope()  # noqa: RUF009 - it never changes

    @property
    def client_metadata(self) -> dict[str, list[str]]:
        """Return the metadata that Authlib reads by name."""
        return {"post_logout_redirect_uris": list(self.post_logout_redirect_uris)}

    @property
    def most_scope(self) -> Scope:
        """Return all that the client may ask for, at whichever resource."""
        return Scope(scope for most in (*self.resources.values(), self.may_allow) for scope in most)

    def get_default_redirect_uri(self) -> None:
        """Return nothing: a request must name its redirect URI (RFC 9700 §2.1)."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Return the part of the scope that this client may ask for, or None if that is nothing."""
        return str(Scope.parse(scope or "") & self.most_scope) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Tell whether the URI is registered, compared character by character (RFC 9700 §2.1)."""
        return redirect_uri in self.redirect_uris

    def check_response_type(self, response_type: str) -> bool:
        """Tell whether the client may use the response type."""
        return response_type == "code" and "authorization_code" in self.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether the client is registered for the grant."""
        return grant_type in self.grant_types


@dataclass(frozen=True, kw_only=True)
class Agent(Client):
    """A client that acts for customers, as the registry has it now.

    `max_life` is the longest life of any token that it gets; `customers` whom it may act for, None for all.
    """

    state: str
    max_life: timedelta
    customers: frozenset[str] | None

    @property
    def is_active(self) -> bool:
        """Tell whether the agent may do anything at all."""
        return self.state == "active"

    @property
    def delegable(self) -> Mapping[str, Scope]:
        """Return the audiences at which the agent may act for a customer, and with which scope at most."""
        return self.resources

    def is_for(self, sub: str) -> bool:
        """Tell whether this customer is among those whom the agent is for, in whichever state it is."""
        return self.customers is None or sub in self.customers

    def may_serve(self, sub: str) -> bool:
        """Tell whether the agent is there for this customer now, who still has to allow it."""
        return self.is_active and self.is_for(sub)


@dataclass(frozen=True, kw_only=True)
class Receiver(Client):
    """A service that receives security events, and has its records signed, under a token of its own."""


def registered_clients(settings: Settings) -> dict[str, Client]:
    """Return the clients of the settings by identifier; agents are in the registry."""
    app = Client(
        client_id=settings.banking_app_client_id,
        name="Banking app",
        owner="Example Bank",
        jwks_uri=settings.banking_app_jwks_uri,
        grant_types=frozenset({"authorization_code", "refresh_token"}),
        resources={
            settings.issuer: Scope(OPENID | GRANT_MANAGEMENT | ADMINISTRATION),
            settings.account_api_audience: Scope(READ_ACCOUNTS | AUDIT),
        },
        redirect_uris=(f"{settings.banking_app_url}/callback",),
        post_logout_redirect_uris=(f"{settings.banking_app_url}/",),
        may_allow=ALL_ACCOUNT,
    )
    return {client.client_id: client for client in (app, *_receivers(settings))}


def _receivers(settings: Settings) -> Iterator[Receiver]:
    """Yield the resources that are told of tokens that have ended."""
    for client_id, name, jwks_uri in (
        (settings.gateway_client_id, "Gateway", settings.gateway_jwks_uri),
        (settings.account_api_client_id, "Account API", settings.account_api_jwks_uri),
    ):
        yield Receiver(
            client_id=client_id,
            name=name,
            owner="Example Bank",
            jwks_uri=jwks_uri,
            grant_types=frozenset({"client_credentials"}),
            resources={settings.issuer: Scope({*SECURITY_EVENTS, *CHECKPOINTS})},
        )
