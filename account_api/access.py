"""Who may call an operation: a rule of the verified token, declared on each route."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, Self

from delegation.bearer import BearerError, InsufficientScope
from delegation.scope import Scope
from delegation.token import AccessToken, DelegationToken

SECURITY_SCHEME: Final = "accessToken"


class ClientNotAllowed(BearerError):
    """The token is good, but this client may not use it here: 403, and no wider scope would help."""

    status = 403


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an operation needs of its token: every scope, and whether an agent may call it."""

    scope: Scope
    agents: bool = True

    def as_openapi(self) -> dict[str, Any]:
        """Return the members of the OpenAPI operation that say so."""
        return {"security": [{SECURITY_SCHEME: sorted(self.scope)}], "x-agents-allowed": self.agents}

    @classmethod
    def from_openapi(cls, operation: dict[str, Any]) -> Self:
        """Read what `as_openapi` wrote.

        Raises:
            KeyError: the operation does not say what it needs.
        """
        [alternative] = operation["security"]
        return cls(Scope(alternative[SECURITY_SCHEME]), operation["x-agents-allowed"])


def needs(*scope: str, agents: bool = True) -> dict[str, Any]:
    """Declare on a route, as its `openapi_extra`, what it needs: what is published is what is enforced."""
    return Requirement(Scope(scope), agents).as_openapi()


def check(token: AccessToken, requirement: Requirement, app_client_ids: AbstractSet[str]) -> None:
    """Let the token pass if it suffices for the operation.

    A token without an actor must come from the bank's own app, so that no other client acts unnamed. Which
    actors may act for a customer was decided where the token was issued, and at the gateway.

    Raises:
        ClientNotAllowed: no actor and not the bank's own app, or an actor where none may be.
        InsufficientScope: a scope is missing.
    """
    delegated = isinstance(token, DelegationToken)
    if not delegated and token.client_id not in app_client_ids:
        raise ClientNotAllowed(
            "This client may act here only with a delegation token that names it as actor."
        )
    if delegated and not requirement.agents:
        raise ClientNotAllowed("A delegation token does not open this; the customer's own app does.")
    if not requirement.scope <= token.scope:
        raise InsufficientScope(f"The access token needs the scope {requirement.scope}.", requirement.scope)
