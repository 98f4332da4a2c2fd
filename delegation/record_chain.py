"""The hash chain over a service's records: pure functions, so that anybody can compute it again.

A link is `SHA-256(canonical({"position": …, "previous_hash": …, "record": {…}}))` in lower-case hex.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

GENESIS: Final = "0" * 64
"""The previous hash of the first record."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain reaches: the last record's position, from 1 and without gaps, and its hash.

    `unchained` is how many rows stand outside of the chain, where that is to be signed, too.
    """

    position: int = 0
    hash: str = GENESIS
    unchained: int | None = None


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return JSON in one form only, as RFC 8785 has it for what records hold.

    Those are objects with ASCII names, texts, integers, booleans, and lists and objects of them: names
    sorted, no white space, UTF-8, only what must be escaped escaped.
    """
    # By the standard library: what somebody has written into a row has a form of its own too, even NaN.
    return _ENCODER.encode(value).encode()


def link_hash(previous_hash: str, position: int, record: Mapping[str, Any]) -> str:
    """Return the hash of the record at this position, which follows the one with `previous_hash`.

    A member that is None counts as one that is not there, so that a record keeps its hash when a later
    version knows more members.
    """
    return hash_of_link(previous_hash, position, canonical(present(record)))


def present(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a record's members that are there: its link holds no others."""
    return {name: value for name, value in record.items() if value is not None}


def hash_of_link(previous_hash: str, position: int, members: bytes) -> str:
    """Return the hash of a link whose record is in canonical form already."""
    # The names of a link stand in their order here, so this is `canonical` of the whole.
    before = b'{"position":%d,"previous_hash":"%b","record":' % (position, previous_hash.encode())
    return hashlib.sha256(b"%b%b}" % (before, members)).hexdigest()
