"""What every request meets before anything is done for it: bounds, and the verification of its token."""

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

from account_api.accounts import ACCOUNT_ID
from account_api.bank import Bank
from delegation.bearer import bearer_token
from delegation.token import AccessToken

_MAX_HEADER_BYTES: Final = 16 * 1024


async def verified_token(request: Request, bank: Bank) -> AccessToken:
    """Return the request's token, verified; whether it suffices belongs to the operation.

    Raises:
        BearerError: there is none, or not one, or it is not valid.
        HTTPException: 431, the header fields are too long.
        Unverifiable: the issuer's keys cannot be had, or it cannot be known which tokens have ended.
    """
    if sum(len(name) + len(value) for name, value in request.headers.raw) > _MAX_HEADER_BYTES:
        raise HTTPException(431)
    query = request.query_params if request.scope["query_string"] else {}
    encoded = bearer_token(request.headers.getlist("authorization"), query)
    return await bank.verifier.verify(encoded)


def resource_of(path: str, parameters: Mapping[str, object]) -> str:
    """Return the path, with the account id filled in if it can be one: no other text of a caller's."""
    account_id = parameters.get("account_id")
    if isinstance(account_id, str) and ACCOUNT_ID.fullmatch(account_id):
        return path.format(account_id=account_id)
    return path


def bounded(receive: Receive, most_bytes: int) -> Receive:
    """Return `receive`, raising `HTTPException` 413 when the body gets longer than any valid one."""
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most_bytes:
            raise HTTPException(413)
        return message

    return receive_bounded
