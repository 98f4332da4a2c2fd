"""Checkpoints of the services' chains of records: what a service says is its head, signed by this server."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth_server.audit import record
from auth_server.context import InContext
from auth_server.documented import PROTECTED, problem
from auth_server.event_delivery import check_receiver_token
from auth_server.json_body import body, documented_body
from auth_server.own_interfaces import needs, no_store
from auth_server.scopes import CHECKPOINTS
from auth_server.tables import RECORD
from delegation.record import of_token
from delegation.record_chain import Head
from delegation.token import AccessToken

router = APIRouter(tags=["audit"], dependencies=[Depends(no_store)])
_OPERATION = "audit.checkpoint"


class ChainHead(BaseModel):
    """The head that is to be signed; `cut` when it is the last record that was removed for its age.

    `unchained` is how many rows stand outside of the chain; older services do not say it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: Annotated[int, Field(ge=1, lt=2**63)]
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    cut: bool = False
    unchained: Annotated[int | None, Field(ge=0, lt=2**63)] = None


@router.post(
    "/checkpoints",
    name=_OPERATION,
    responses=PROTECTED | problem(415, 422),
    openapi_extra=documented_body(ChainHead),
)
def sign_checkpoint(
    context: InContext,
    token: Annotated[AccessToken, needs(*CHECKPOINTS, check=check_receiver_token)],
    head: Annotated[ChainHead, body(ChainHead)],
) -> dict[str, str]:
    """Sign the head of the calling service's chain.

    What is signed is a record here, so that this server's own chain tells how far each other one had come. A
    chain that went back is signed, too, which is what it is now; the record says so.
    """
    service = token.client_id
    with context.transaction() as db:
        last = 0 if head.cut else _last_signed(db, service)
        went_back = f"; it went back: position {last} was signed before" if head.position < last else ""
        reason = f"the head of the service's own chain, hash {head.hash}{went_back}"
        kind = "cuts" if head.cut else "checkpoints"
        fields: dict[str, Any] = of_token(token) | {"resource": f"/{kind}/{service}/{head.position}"}
        record(db, 1, "permit", reason, _OPERATION, time=context.now(), **fields)
        jws = context.checkpoint_keys.sign(
            *(service, Head(head.position, head.hash, head.unchained), context.now()), is_cut=head.cut
        )
    return {"checkpoint": jws}


@router.get("/checkpoint-keys")
def checkpoint_keys(context: InContext) -> dict[str, Any]:
    """Publish the keys that verify checkpoints (RFC 7517 §5), also those that sign no more."""
    return context.checkpoint_keys.published()


def _last_signed(db: Session, service: str) -> int:
    """Return the position in the last checkpoint of this service, 0 if its record is gone for its age."""
    resource = db.scalar(
        select(RECORD.c.resource)
        .where(
            RECORD.c.operation == _OPERATION,
            RECORD.c.client_id == service,
            RECORD.c.resource.startswith("/checkpoints/"),
        )
        .order_by(RECORD.c.position.desc())
        .limit(1)
    )
    return int(resource.rpartition("/")[2]) if resource else 0
