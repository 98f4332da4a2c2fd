"""Who may use the administration API: staff, with their own token for this server, in their role of now."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy.orm import Session

from auth_server.agent_history import By, by
from auth_server.context import Context, InContext
from auth_server.own_interfaces import needs
from auth_server.people import hold_enabled
from auth_server.problems import Refused
from auth_server.scopes import ROLES
from auth_server.tables import Staff
from delegation.bearer import InsufficientScope
from delegation.scope import Scope
from delegation.token import AccessToken


@dataclass(frozen=True)
class Caller:
    """A member of staff at the administration API, and what they came for.

    `roles` are those that may; the role is read anew in each transaction, so that a change counts at once.
    """

    context: Context
    token: AccessToken
    scope: Scope
    roles: frozenset[str]

    @property
    def sub(self) -> str:
        """Return the caller's name, which stands in the history and in the records."""
        return self.token.subject

    @contextmanager
    def transaction(self) -> Iterator[tuple[Session, Staff]]:
        """Run one transaction, in which the caller's role stays as it is.

        Raises:
            InsufficientScope: the caller is no member of staff, or their role no longer permits the scope.
            Refused: it permits the scope, but not this.
        """
        with self.context.transaction() as db:
            yield db, self._member(db)

    def by(self, reason: str = "", *, needs_reason: bool = False) -> By:
        """Return the caller as who decides, now."""
        return by(self.sub, reason, self.context.now(), needs_reason=needs_reason, token=self.token)

    def _member(self, db: Session) -> Staff:
        member = hold_enabled(db, Staff, self.sub)
        if member is None or not self.scope <= ROLES[member.role]:
            raise InsufficientScope("Nobody of your role may do this.", self.scope)
        if member.role not in self.roles:
            raise Refused(403, f"Only staff with the role {' or '.join(sorted(self.roles))} may do this.")
        return member


def staff(scope: str, *roles: str) -> Any:
    """Declare on a route the scope that opens it, and the roles that may if not all do."""

    def authorized(context: InContext, token: Annotated[AccessToken, needs(scope)]) -> Caller:
        caller = Caller(context, token, Scope({scope}), frozenset(roles or ROLES))
        with caller.transaction():
            return caller

    return Depends(authorized)
