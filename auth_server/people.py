"""The people who can sign on: customers and staff, each name once."""

from typing import TypeVar

from sqlalchemy.orm import Session

from auth_server.scopes import CUSTOMERS, OPENID, ROLES
from auth_server.tables import Customer, Staff
from delegation.scope import Scope

Person = Customer | Staff
PersonT = TypeVar("PersonT", bound=Person)


def find_person(db: Session, sub: str) -> Person | None:
    """Return whoever has this name, disabled or not, or None."""
    return db.get(Customer, sub) or db.get(Staff, sub)


def enabled_person(db: Session, sub: str) -> Person | None:
    """Return whoever has this name and may sign on, or None."""
    person = find_person(db, sub)
    return person if person is not None and person.disabled_at is None else None


def hold_enabled(db: Session, kind: type[PersonT], sub: str) -> PersonT | None:
    """Return the same, read anew, and keep it as it is until this transaction is over.

    Whoever disables a person waits for this, and ends what was issued meanwhile.
    """
    person = db.get(kind, sub, with_for_update={"read": True}, populate_existing=True)
    return person if person is not None and person.disabled_at is None else None


def permitted(person: Person) -> Scope:
    """Return the most that this person's tokens may carry, wherever they are for, as of now."""
    return Scope(OPENID | ROLES[person.role]) if isinstance(person, Staff) else CUSTOMERS


def role_claim(person: Person) -> dict[str, str]:
    """Return the claim `role`, which tells an app which pages to show; a customer has none."""
    return {"role": person.role} if isinstance(person, Staff) else {}
