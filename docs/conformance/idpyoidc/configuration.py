"""How idpyoidc is configured: its own default for a provider, and what its documentation says besides.

That is token exchange, introspection, revocation and PKCE. Password and port come from the environment.
"""

import os
from pathlib import Path

from idpyoidc.server.user_authn.authn_context import INTERNETPROTOCOLPASSWORD

HERE = Path(__file__).parent
PORT = int(os.environ["PORT"])
ISSUER = f"http://127.0.0.1:{PORT}"
API = "https://account.api.example.com"
SCOPES = ["account:read_balance", "account:read_transactions", "account:transfer"]
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
CLIENT_AUTHENTICATION = ["client_secret_post", "client_secret_basic", "private_key_jwt"]
EC_KEY = [{"type": "EC", "crv": "P-256", "use": ["sig"]}, {"type": "RSA", "use": ["sig"]}]

TOKEN_EXCHANGE = {
    "subject_token_types_supported": [ACCESS_TOKEN],
    "requested_token_types_supported": [ACCESS_TOKEN],
    "policy": {
        "": {
            "function": "idpyoidc.server.oauth2.token_helper.validate_token_exchange_policy",
            "kwargs": {"audience": [API], "resource": [API], "scope": SCOPES},
        }
    },
}


def endpoint(name: str, path: str, **arguments: object) -> dict[str, object]:
    """Configure one endpoint."""
    return {"path": path, "class": f"idpyoidc.server.{name}", "kwargs": arguments}


def configuration() -> dict[str, object]:
    """Return the provider's configuration."""
    usage = {
        "authorization_code": {
            "supports_minting": ["access_token", "refresh_token", "id_token"],
            "max_usage": 1,
            "expires_in": 120,
        },
        "access_token": {"supports_minting": ["access_token"], "expires_in": 300},
        "refresh_token": {"supports_minting": ["access_token", "refresh_token"], "expires_in": 86400},
    }
    users = dict.fromkeys(("customer@example.com", "sam@example.com"), os.environ["CUSTOMER_PASSWORD"])
    jwt = {"class": "idpyoidc.server.token.jwt_token.JWTToken", "kwargs": {"lifetime": 300}}
    return {
        "issuer": ISSUER,
        "template_dir": str(HERE / "templates"),
        "key_conf": {"key_defs": EC_KEY, "uri_path": "jwks.json"},
        "preference": {
            "grant_types_supported": ["authorization_code", "refresh_token", EXCHANGE],
            "subject_types_supported": ["public"],
        },
        "add_on": {
            "pkce": {
                "function": "idpyoidc.server.oauth2.add_on.pkce.add_support",
                "kwargs": {"essential": True, "code_challenge_method": "S256"},
            }
        },
        "authz": {
            "class": "idpyoidc.server.authz.AuthzHandling",
            "kwargs": {"grant_config": {"usage_rules": usage, "expires_in": 43200}},
        },
        "authentication": {
            "user": {
                "acr": INTERNETPROTOCOLPASSWORD,
                "class": "idpyoidc.server.user_authn.user.UserPassJinja2",
                "kwargs": {
                    "verify_endpoint": "/verify/user",
                    "template": "user_pass.jinja2",
                    "db": {"class": dict, "kwargs": users},
                },
            }
        },
        "cookie_handler": {
            "class": "idpyoidc.server.cookie_handler.CookieHandler",
            "kwargs": {
                "keys": {"key_defs": [{"type": "OCT", "use": [use], "kid": use} for use in ("enc", "sig")]}
            },
        },
        "userinfo": {
            "class": "idpyoidc.server.user_info.UserInfo",
            "kwargs": {"db": {user: {} for user in users}},
        },
        "token_handler_args": {
            "jwks_def": {
                "private_path": str(HERE / "data" / "token_keys.json"),
                "key_defs": [{"type": "oct", "bytes": "24", "use": ["enc"], "kid": "code"}],
            },
            "code": {"kwargs": {"lifetime": 120}},
            "token": jwt,
            "refresh": jwt,
            "id_token": {"class": "idpyoidc.server.token.id_token.IDToken", "kwargs": {}},
        },
        "endpoint": {
            "provider_config": endpoint(
                "oidc.provider_config.ProviderConfiguration",
                ".well-known/openid-configuration",
                client_authn_method=None,
            ),
            "authorization": endpoint(
                "oidc.authorization.Authorization", "authorization", client_authn_method=None
            ),
            "token": endpoint(
                "oidc.token.Token",
                "token",
                client_authn_method=CLIENT_AUTHENTICATION,
                grant_types_helpers={
                    "authorization_code": {
                        "class": "idpyoidc.server.oidc.token_helper.access_token.AccessTokenHelper"
                    },
                    "refresh_token": {
                        "class": "idpyoidc.server.oidc.token_helper.refresh_token.RefreshTokenHelper"
                    },
                    EXCHANGE: {
                        "class": "idpyoidc.server.oidc.token_helper.token_exchange.TokenExchangeHelper",
                        "kwargs": TOKEN_EXCHANGE,
                    },
                },
            ),
            "userinfo": endpoint("oidc.userinfo.UserInfo", "userinfo"),
            "introspection": endpoint(
                "oauth2.introspection.Introspection",
                "introspection",
                client_authn_method=CLIENT_AUTHENTICATION,
                enforce_audience_restriction=False,
            ),
            "revocation": endpoint(
                "oauth2.token_revocation.TokenRevocation",
                "revocation",
                client_authn_method=CLIENT_AUTHENTICATION,
            ),
        },
    }
