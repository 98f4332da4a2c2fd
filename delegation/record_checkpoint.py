"""Signed checkpoints: the authorization server says that a service's chain had this head at this time.

A checkpoint is a JWS with `typ: checkpoint+jwt` (RFC 7515, RFC 8725 §3.11) and the claims `iss`, `iat`,
`service`, `position`, `hash`; `unchained`, how many rows stood outside of the chain, but in those from before
that was signed; `cut: true` in one that says where a chain begins after records were removed.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from jwt import PyJWK
from jwt.exceptions import InvalidTokenError
from sqlalchemy import Connection, Table, select

from delegation.bearer import InvalidToken
from delegation.record_chain import Head
from delegation.record_table import chain_table, checkpoint_table, locked_head
from delegation.signing_key import ALGORITHM
from delegation.verification import signed_claims

TYPE: Final = "checkpoint+jwt"

Sign = Callable[[Head, bool, datetime], Awaitable[str]]
"""Signs a head, as that of a cut or not, at this time; raises `NoSignature`."""


class NoSignature(Exception):
    """The authorization server does not sign now; the text says why, for a log."""


class BadCheckpoint(Exception):
    """A checkpoint that was never signed like this."""


class UnknownCheckpointKey(Exception):
    """A checkpoint whose key is not among those given."""


@dataclass(frozen=True, slots=True)
class When:
    """A checkpoint is due after this many records, or this long after the first record since the last one."""

    records: int
    seconds: int


def checkpoint_claims(
    issuer: str, service: str, head: Head, now: datetime, *, is_cut: bool
) -> dict[str, Any]:
    """Return the claims of a checkpoint."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "iat": int(now.timestamp()),
        "service": service,
        "position": head.position,
        "hash": head.hash,
    }
    if head.unchained is not None:
        claims["unchained"] = head.unchained
    return claims | ({"cut": True} if is_cut else {})


def check_checkpoint(
    jws: str, keys: Mapping[str, PyJWK], service: str, head: Head, *, is_cut: bool = False
) -> Head:
    """Check that one of these keys signed this head of this service; return it as it was signed.

    Raises:
        UnknownCheckpointKey: its key is not among them.
        BadCheckpoint: it is not what was signed.
    """
    signed, signed_as_cut = signed_head(jws, keys, service)
    if (signed.position, signed.hash, signed_as_cut) != (head.position, head.hash, is_cut):
        raise BadCheckpoint("it was signed for something else")
    return signed


def signed_head(jws: str, keys: Mapping[str, PyJWK], service: str) -> tuple[Head, bool]:
    """Return the head of this service that one of these keys, by `kid`, signed, and whether it is a cut.

    Leaves unchecked: `iss`, because the keys are that issuer's own, and `iat`, which may be any time.

    Raises:
        UnknownCheckpointKey: its key is not among them.
        BadCheckpoint: it is not what was signed.
    """
    try:
        header = jwt.get_unverified_header(jws)
    except (InvalidTokenError, ValueError, RecursionError) as error:
        raise BadCheckpoint("it is not a JWS") from error
    if header.get("typ") != TYPE or header.get("alg") != ALGORITHM or "crit" in header:
        raise BadCheckpoint(f"it is not an {ALGORITHM} signature of type {TYPE}")
    key = keys.get(str(header.get("kid")))
    if key is None:
        raise UnknownCheckpointKey(str(header.get("kid")))
    try:
        claims = signed_claims(jws, key, (ALGORITHM,))
    except InvalidToken as error:
        raise BadCheckpoint("its signature is not valid") from error
    position, hash_, unchained = (claims.get(name) for name in ("position", "hash", "unchained"))
    if claims.get("service") != service:
        raise BadCheckpoint("it was signed for something else")
    if not isinstance(position, int) or not isinstance(hash_, str) or not isinstance(unchained, int | None):
        raise BadCheckpoint("it names no head of a chain")
    return Head(position, hash_, unchained), claims.get("cut", False) is True


def due_checkpoint(connection: Connection, table: Table, now: datetime, when: When) -> Head | None:
    """Return the chain's head if it is time to have it signed."""
    chain, checkpoint = chain_table(table), checkpoint_table(table)
    row = connection.execute(select(chain)).one_or_none()
    last = connection.execute(
        select(checkpoint.c.position, checkpoint.c.signed_at).order_by(checkpoint.c.position.desc()).limit(1)
    ).one_or_none()
    if row is None or row.position <= (last.position if last else row.cut_position):
        return None
    is_many = last is not None and row.position - last.position >= when.records
    is_late = last is None or last.signed_at <= (now - timedelta(seconds=when.seconds)).timestamp()
    return Head(row.position, row.hash, row.unchained) if is_many or is_late else None


def add_checkpoint(connection: Connection, table: Table, head: Head, jws: str, now: datetime) -> None:
    """Keep a checkpoint, unless another server was first or the chain was cut beyond it meanwhile."""
    checkpoint, chain = checkpoint_table(table), chain_table(table)
    locked_head(connection, table)
    is_there = connection.scalar(select(checkpoint.c.position).where(checkpoint.c.position == head.position))
    is_cut = connection.scalar(select(chain.c.id).where(chain.c.cut_position >= head.position))
    if is_there is None and is_cut is None:
        values = {"position": head.position, "hash": head.hash, "signed_at": int(now.timestamp()), "jws": jws}
        connection.execute(checkpoint.insert().values(**values))


def newest_checkpoint(connection: Connection, table: Table) -> str | None:
    """Return the signed checkpoint that reaches furthest, or that of the cut if there is none after it."""
    checkpoint, chain = checkpoint_table(table), chain_table(table)
    newest = select(checkpoint.c.jws).order_by(checkpoint.c.position.desc()).limit(1)
    return connection.scalar(newest) or connection.scalar(select(chain.c.cut_jws))
