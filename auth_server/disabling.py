"""Disabling people, and new passwords: all that came of an earlier sign-on ends at once."""

from sqlalchemy.orm import Session

from auth_server.agent_details import RegistryError
from auth_server.agent_history import By
from auth_server.audit import record
from auth_server.browser_session import end_sign_ons
from auth_server.people import Person, PersonT
from auth_server.tables import Customer, Staff
from delegation.record import of_token


def disable_customer(db: Session, sub: str, by: By) -> Person:
    """Disable a customer: sessions, refresh tokens and access tokens end, their agents' tokens among them.

    Grants stay, as what the customer has said; nothing is delegated under them meanwhile.

    Raises:
        NoSuchPerson: there is no such customer.
        RegistryError: the customer is disabled already.
    """
    return _disable(db, Customer, sub, by)


def enable_customer(db: Session, sub: str, by: By) -> Person:
    """Let a customer sign on again; what had ended stays ended.

    Raises:
        NoSuchPerson: there is no such customer.
        RegistryError: the customer is not disabled.
    """
    return _enable(db, Customer, sub, by)


def disable_staff(db: Session, sub: str, by: By) -> Person:
    """Disable a member of staff, as `disable_customer` does; the agents that they answer for go on.

    Raises:
        NoSuchPerson: no member of staff has this name.
        RegistryError: they are disabled already.
    """
    return _disable(db, Staff, sub, by)


def enable_staff(db: Session, sub: str, by: By) -> Person:
    """Let a member of staff sign on again.

    Raises:
        NoSuchPerson: no member of staff has this name.
        RegistryError: they are not disabled.
    """
    return _enable(db, Staff, sub, by)


def set_password(db: Session, kind: type[Person], sub: str, password_hash: str, by: By) -> Person:
    """Give a person another password; what came of the old one ends, as in `disable_customer`.

    Whoever is disabled stays so.

    Raises:
        NoSuchPerson: nobody of this kind has this name.
    """
    person = hold(db, kind, sub)
    person.password_hash = password_hash
    end_sign_ons(db, sub, by.at)
    note(db, person, "set-password", by)
    return person


class NoSuchPerson(RegistryError):
    """Nobody of this kind has this name."""


def hold(db: Session, kind: type[PersonT], sub: str) -> PersonT:
    """Return a person whom nobody else changes until this transaction is over.

    This waits for whoever signs on, or delegates for them, at this moment: what they issue is then seen.

    Raises:
        NoSuchPerson: there is none.
    """
    person = db.get(kind, sub, with_for_update=True, populate_existing=True)
    if person is None:
        raise NoSuchPerson(f"there is no {sub} ({kind.__tablename__})")
    return person


def note(db: Session, person: Person, action: str, by: By, what: str = "") -> None:
    """Record what was decided on a person, by whom and why; the record's `resource` names the person."""
    reason = ": ".join(filter(None, (by.who, what, by.why)))
    fields = of_token(by.token) | {"resource": person.sub, "time": by.at}
    record(db, 1, "permit", reason, f"{person.__tablename__}.{action}", **fields)


def _disable(db: Session, kind: type[Person], sub: str, by: By) -> Person:
    person = hold(db, kind, sub)
    if person.disabled_at is not None:
        raise RegistryError(f"{sub} is disabled already")
    person.disabled_at = by.at
    end_sign_ons(db, sub, by.at)
    note(db, person, "disable", by)
    return person


def _enable(db: Session, kind: type[Person], sub: str, by: By) -> Person:
    person = hold(db, kind, sub)
    if person.disabled_at is None:
        raise RegistryError(f"{sub} is not disabled")
    person.disabled_at = None
    note(db, person, "enable", by)
    return person
