"""Registered clients: the banking app and the agent (RFC 7591 §2 names their metadata)."""

from collections.abc import Mapping
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import ClientMixin

from auth_server.scopes import ALL_ACCOUNT, GRANT_MANAGEMENT, OPENID, READ_ACCOUNTS
from auth_server.settings import Settings
from delegation.scope import Scope
from delegation.token_exchange import GRANT_TYPE as TOKEN_EXCHANGE


@dataclass(frozen=True)
class Client(ClientMixin):
    """A client that authenticates with its own key (`private_key_jwt`) and nothing else.

    `resources` says for which audiences the client may get tokens, and with which scope at most.
    """

    client_id: str
    name: str
    owner: str
    jwks_uri: str
    grant_types: frozenset[str]
    resources: Mapping[str, Scope]
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()

    @property
    def client_metadata(self) -> dict[str, list[str]]:
        """Return the metadata that Authlib reads by name."""
        return {"post_logout_redirect_uris": list(self.post_logout_redirect_uris)}

    @property
    def most_scope(self) -> Scope:
        """Return all that the client may ask for, at whichever resource."""
        return Scope(scope for most in self.resources.values() for scope in most)

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


class Agent(Client):
    """A client that acts for customers. `delegable` is the most that may be delegated to it, by audience."""

    @property
    def delegable(self) -> Mapping[str, Scope]:
        """Return the audiences at which the agent may act for a customer, and with which scope at most."""
        return self.resources


def registered_clients(settings: Settings) -> dict[str, Client]:
    """Return the clients by identifier."""
    app = Client(
        client_id=settings.banking_app_client_id,
        name="Banking app",
        owner="Example Bank",
        jwks_uri=settings.banking_app_jwks_uri,
        grant_types=frozenset({"authorization_code", "refresh_token"}),
        resources={
            settings.issuer: Scope(OPENID | GRANT_MANAGEMENT),
            settings.account_api_audience: READ_ACCOUNTS,
            settings.agent_id: ALL_ACCOUNT,
        },
        redirect_uris=(f"{settings.banking_app_url}/callback",),
        post_logout_redirect_uris=(f"{settings.banking_app_url}/",),
    )
    agent = Agent(
        client_id=settings.agent_id,
        name=settings.agent_name,
        owner=settings.agent_owner,
        jwks_uri=settings.agent_jwks_uri,
        grant_types=frozenset({"client_credentials", TOKEN_EXCHANGE}),
        resources={settings.account_api_audience: ALL_ACCOUNT},
    )
    return {client.client_id: client for client in (app, agent)}
