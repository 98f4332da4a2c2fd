"""Staff at the administration API, as their own app would call it."""

import itertools
from dataclasses import dataclass
from typing import Any

import httpx2

from delegation.signing_key import SigningKey
from tests.auth_server.servers import (
    ACCOUNT_API,
    BALANCE,
    ISSUER,
    AuthorizationRequest,
    AuthServer,
    Tokens,
    decide,
    sign_on,
)

_numbers = itertools.count(1)
BECAUSE = {"reason": "the test"}


@dataclass(frozen=True)
class StaffMember:
    """Somebody who holds a token for the authorization server's own interfaces, or any other, or none."""

    server: AuthServer
    sub: str
    token: str | None

    def request(self, method: str, path: str, json: Any = None, **parameters: Any) -> httpx2.Response:
        """Call the API; the parameters stand in the query."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return self.server.http.request(method, path, headers=headers, json=json, params=parameters)

    def get(self, path: str, **parameters: Any) -> Any:
        """Read something that there is; returns its JSON."""
        response = self.request("GET", path, **parameters)
        assert response.status_code == 200, response.text
        return response.json()

    def done(self, method: str, path: str, json: Any, **parameters: Any) -> Any:
        """Change something, which must succeed; returns the JSON of the answer."""
        response = self.request(method, path, json, **parameters)
        assert response.status_code in {200, 201}, response.text
        return response.json()

    def register(self, **changes: Any) -> str:
        """Register an agent; returns its identifier."""
        agent_id: str = self.done("POST", "/admin/agents", described(**changes))["agent_id"]
        return agent_id


def staff_member(server: AuthServer, role: str) -> StaffMember:
    """Return a new member of staff, signed on."""
    sub = server.new_staff(role)
    return StaffMember(server, sub, server.staff_sign_on(sub).first["access_token"])


def described(**changes: Any) -> dict[str, Any]:
    """Return what is registered of an agent that no other test knows; a change to None leaves a field out."""
    agent = {
        "agent_id": f"https://agent{next(_numbers)}.example.com",
        "name": "Card Assistant",
        "purpose": "Answers questions about cards",
        "owner": "Cards, Example Bank",
        "jwks": [SigningKey.generate().public_jwk],
        "scopes": {ACCOUNT_API: [BALANCE]},
    } | changes
    return {name: value for name, value in agent.items() if value is not None}


def allow(server: AuthServer, agent_id: str, customer: str | None = None) -> Tokens:
    """Let a customer, a new one if none is named, sign on and allow the agent all that it asks for."""
    request = AuthorizationRequest(resource=[agent_id, ACCOUNT_API, ISSUER])
    browser = server.browser()
    page = sign_on(browser, request, customer or server.new_customer())
    return server.redeem(browser, decide(browser, page, page.form.choices), request)
