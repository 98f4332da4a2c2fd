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
    return _ENCODER.encode(value).encode()


def link_hash(previous_hash: str, position: int, record: Mapping[str, Any]) -> str:
    """Return the hash of the record at this position, which follows the one with `previous_hash`.

    A member that is None counts as one that is not there, so that a record keeps its hash when a later
    version knows more members.
    """
    members = {name: value for name, value in record.items() if value is not None}
    link = {"position": position, "previous_hash": previous_hash, "record": members}
    return hashlib.sha256(canonical(link)).hexdigest()
