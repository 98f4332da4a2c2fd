"""A client of the authorization server: its own key pair, its own assertions."""

import secrets
from typing import Any

import httpx2

from delegation.client_assertion import ASSERTION_TYPE
from delegation.clock import Clock
from delegation.signing_key import SigningKey


class RegisteredClient:
    """Plays the banking app or the agent at the authorization server's endpoints."""

    def __init__(
        self, client_id: str, key: SigningKey, issuer: str, clock: Clock, http: httpx2.Client
    ) -> None:
        self.client_id = client_id
        self.key = key
        self.issuer = issuer
        self.clock = clock
        self.http = http

    def assertion(self, *, key: SigningKey | None = None, typ: str = "JWT", **changes: Any) -> str:
        """Sign an assertion; every claim can be changed, or left out with None."""
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.issuer,
            "jti": secrets.token_urlsafe(12),
            "iat": now,
            "exp": now + 60,
        } | changes
        return (key or self.key).sign({n: value for n, value in claims.items() if value is not None}, typ)

    def credentials(self, assertion: str | None = None) -> dict[str, str]:
        """Return the form parameters that authenticate the client once."""
        return {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
        }

    def post(self, path: str, parameters: dict[str, Any]) -> httpx2.Response:
        """Send an authenticated form; a parameter of None is left out."""
        form = self.credentials() | parameters
        return self.http.post(path, data={n: value for n, value in form.items() if value is not None})

    def token(self, **parameters: Any) -> httpx2.Response:
        """Ask the token endpoint."""
        return self.post("/token", parameters)

    def introspect(self, token: str) -> dict[str, Any]:
        """Return what introspection says."""
        response = self.post("/introspect", {"token": token})
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body


def refusal(response: httpx2.Response) -> tuple[int, str]:
    """Return status and error code of a refused request, whose form is checked (RFC 6749 §5.2)."""
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body.keys() <= {"error", "error_description"}, body
    assert body["error_description"], "a refusal says what to do next"
    return response.status_code, body["error"]


def ask(agent: RegisteredClient, assertion: str, **parameters: Any) -> tuple[int, str]:
    """Ask for an actor token with this assertion; returns status, and error if there is one."""
    form = {"grant_type": "client_credentials"} | agent.credentials(assertion) | parameters
    response = agent.http.post("/token", data=form)
    return (200, "") if response.status_code == 200 else refusal(response)
