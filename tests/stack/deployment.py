"""What is tested: its addresses and the names in it. Every test asks here, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

READ_BALANCE: Final = "account:read_balance"
READ_TRANSACTIONS: Final = "account:read_transactions"
TRANSFER: Final = "account:transfer"

ALEX: Final = "customer@example.com"
MARIA: Final = "maria@example.com"
SAM: Final = "sam@example.com"
ADMINISTRATOR: Final = "admin@example.com"
OWNER: Final = "olivia@example.com"
AUDITOR: Final = "audit@example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One authorization server, one agent, one resource behind a gateway, and the app of the customers."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    introspection_endpoint: str
    revocation_endpoint: str
    end_session_endpoint: str
    grants_endpoint: str
    records_endpoint: str
    banking_app: str
    gateway: str
    chatbot: str
    account_api: str

    app_id: str = "banking-app"
    agent_id: str = "https://bank-agent.example.com"
    audience: str = "https://account.api.example.com"
    password: str = field(default="bank-demo", repr=False)
    scope: str = (
        "openid profile account:read_balance account:read_transactions account:transfer "
        "grant_management_query grant_management_revoke agents:read agents:write audit:read"
    )

    @property
    def redirect_uri(self) -> str:
        """Where the authorization server sends the browser back to."""
        return f"{self.banking_app}/callback"


def ours(address: Mapping[str, str]) -> Deployment:
    """Return this repository's deployment; `address` is where each service can be reached from here."""
    issuer = address["auth_server"]
    return Deployment(
        issuer=issuer,
        authorization_endpoint=f"{issuer}/authorize",
        token_endpoint=f"{issuer}/token",
        jwks_uri=f"{issuer}/jwks",
        userinfo_endpoint=f"{issuer}/userinfo",
        introspection_endpoint=f"{issuer}/introspect",
        revocation_endpoint=f"{issuer}/revoke",
        end_session_endpoint=f"{issuer}/end-session",
        grants_endpoint=f"{issuer}/grants",
        records_endpoint=f"{issuer}/records",
        banking_app=address["banking_app"],
        gateway=address["gateway"],
        chatbot=address["chatbot"],
        account_api=address["account_api"],
    )
