"""The administration API, for customers: administrators see who there is, disable, enable and group them."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth_server.administration import Limit, Offset, permit, refusals
from auth_server.administration_bodies import Groups, Reason
from auth_server.administration_shown import person_shown
from auth_server.agent_details import Text
from auth_server.agent_history import By
from auth_server.customer_groups import set_groups
from auth_server.disabling import NoSuchPerson, disable_customer, enable_customer
from auth_server.documented import ADMINISTERED, problem
from auth_server.json_body import body, documented_body
from auth_server.own_interfaces import no_store
from auth_server.people import Person
from auth_server.problems import Refused
from auth_server.staff_access import Caller, staff
from auth_server.tables import Customer

router = APIRouter(prefix="/admin", tags=["administration"], dependencies=[Depends(no_store)])
_Reader = Annotated[Caller, staff("agents:read", "administrator")]
_Writer = Annotated[Caller, staff("agents:write", "administrator")]
_Sub = Annotated[Text, Query(description="the customer's name", examples=["customer@example.com"])]
_CHANGE = ADMINISTERED | problem(404, 409, 413, 415)


@router.get("/customers", name="customer.list", responses=ADMINISTERED)
def list_customers(caller: _Reader, limit: Limit = 50, offset: Offset = 0) -> dict[str, Any]:
    """List the customers by name, with their groups, and since when one is disabled."""
    with caller.transaction() as (db, _):
        permit(db, caller, "customer.list")
        total = db.scalar(select(func.count()).select_from(Customer))
        page = db.scalars(select(Customer).order_by(Customer.sub).limit(limit).offset(offset))
        return {"customers": [person_shown(one) for one in page], "total": total}


@router.post(
    "/customer/disable", name="customer.disable", responses=_CHANGE, openapi_extra=documented_body(Reason)
)
def disable(caller: _Writer, sub: _Sub, because: Annotated[Reason, body(Reason)]) -> dict[str, Any]:
    """Disable a customer: sessions and tokens end at once, those of agents that act for them among them."""
    return _change(caller, disable_customer, sub, because.reason)


@router.post(
    "/customer/enable", name="customer.enable", responses=_CHANGE, openapi_extra=documented_body(Reason)
)
def enable(caller: _Writer, sub: _Sub, because: Annotated[Reason, body(Reason)]) -> dict[str, Any]:
    """Let a disabled customer sign on again; what had ended stays ended."""
    return _change(caller, enable_customer, sub, because.reason)


@router.put(
    "/customer/groups", name="customer.groups", responses=_CHANGE, openapi_extra=documented_body(Groups)
)
def put_into_groups(caller: _Writer, sub: _Sub, groups: Annotated[Groups, body(Groups)]) -> dict[str, Any]:
    """Put a customer into these groups and no others; for agents it counts from the next exchange."""

    def change(db: Session, sub: str, by: By) -> Person:
        return set_groups(db, sub, groups.groups, by)

    return _change(caller, change, sub, groups.reason)


def _change(
    caller: Caller, change: Callable[[Session, str, By], Person], sub: str, why: str
) -> dict[str, Any]:
    with caller.transaction() as (db, _), refusals():
        try:
            return person_shown(change(db, sub, caller.by(why)))
        except NoSuchPerson as error:
            raise Refused(
                404, "There is no such customer; list the customers to see who there is."
            ) from error
