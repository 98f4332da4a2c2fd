"""Discovery: what this server can do, said from what is registered (OpenID Connect Discovery, RFC 8414)."""

from collections.abc import Mapping
from typing import Any

from auth_server.clients import AGENT_GRANTS, Client
from auth_server.scopes import SUPPORTED
from auth_server.settings import Settings
from delegation.authorization_details import AccountTransfer
from delegation.signing_key import ALGORITHM


def metadata(settings: Settings, clients: Mapping[str, Client]) -> dict[str, Any]:
    """Return the metadata document; every address begins with the issuer."""
    issuer = settings.issuer
    authentication = {
        f"{endpoint}_endpoint_{name}": value
        for endpoint in ("token", "introspection", "revocation")
        for name, value in (
            ("auth_methods_supported", ["private_key_jwt"]),
            ("auth_signing_alg_values_supported", [ALGORITHM]),
        )
    }
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/end-session",
        "grant_management_endpoint": f"{issuer}/grants",
        "grant_management_actions_supported": ["query", "revoke"],
        "scopes_supported": sorted(SUPPORTED),
        "authorization_details_types_supported": [AccountTransfer.TYPE],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": sorted(AGENT_GRANTS.union(*(one.grant_types for one in clients.values()))),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "name", "role"],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "claims_parameter_supported": False,
        **authentication,
    }
