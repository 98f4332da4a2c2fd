"""The authorization code flow with PKCE (RULES 41, 42, 48; RFC 6749 §4.1, RFC 7636, RFC 9207, OpenID Connect)."""

import pytest

from tests.auth_server.servers import AuthorizationRequest, AuthServer, claims


def test_a_sign_on_gives_an_id_token_an_app_token_and_a_refresh_token(
    server: AuthServer, customer: str
) -> None:
    tokens = server.sign_on(customer)
    assert claims(tokens.first["id_token"])["sub"] == customer
