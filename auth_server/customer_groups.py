"""Groups of customers, to which an agent may be limited: a customer is in none, in one or in several."""

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from auth_server.agent_details import GroupNames, InvalidDetails, RegistryError, faults
from auth_server.agent_history import By
from auth_server.disabling import hold, note
from auth_server.tables import Customer


def set_groups(db: Session, sub: str, groups: Sequence[str], by: By) -> Customer:
    """Put a customer into these groups and no others; for agents it counts from the next exchange.

    Raises:
        NoSuchPerson: there is no such customer.
        InvalidDetails: a name is not as it must be, or there are too many.
        RegistryError: the customer is in just these already.
    """
    try:
        named = frozenset(TypeAdapter(GroupNames).validate_python(list(groups)))
    except ValidationError as error:
        raise InvalidDetails(f"groups: {faults(error)}") from error
    customer = hold(db, Customer, sub)
    before = frozenset(customer.groups or ())
    if before == named:
        raise RegistryError(f"{sub} is in just these groups already")
    customer.groups = sorted(named) or None
    joined = [f"into {name}" for name in sorted(named - before)]
    left = [f"out of {name}" for name in sorted(before - named)]
    note(db, customer, "groups", by, ", ".join(joined + left))
    return customer
