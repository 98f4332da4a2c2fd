"""What happened to the first record that is not as it was written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, Table

from delegation.record_chain import Head, link_hash
from delegation.record_rows import UNREADABLE, all_rows_after
from delegation.record_table import record_of

Kind = Literal["changed", "removed", "inserted", "reordered", "cut", "checkpoint"]
_LONGEST_SHIFT: Final = 1000
"""How many removed records in a row are told apart from a change, when those after them got their numbers."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What was done, the first position that it concerns (None: no one position), and what is known of it."""

    kind: Kind
    position: int | None
    what: str

    def __str__(self) -> str:
        where = f"position {self.position}: " if self.position is not None else ""
        return f"{self.kind}: {where}{self.what}"


def fits(row: Mapping[str, Any], position: int, previous_hash: str) -> bool:
    """Tell whether the row is the link that was written at this position, after that hash."""
    return bool(row["previous_hash"] == previous_hash and _hash(row, position, previous_hash) == row["hash"])


def fault_at(connection: Connection, table: Table, seen: Head, row: Mapping[str, Any], begin: int) -> Fault:
    """Name what happened at the position after `seen`, where `row` is the next one and does not fit.

    `begin` is the position that the chain begins after. Looks through the rows that follow, at worst all.
    """
    expected = seen.position + 1
    if not isinstance(row["position"], int):
        return Fault("inserted", expected, "a row whose position is no number")
    if seen.position > begin and row["position"] == expected:
        if fits(row, expected, str(row["previous_hash"])):
            return Fault("changed", seen.position, "its hash was made anew, as the next record shows")
        if fits(row, seen.position, str(row["previous_hash"])):
            return Fault("inserted", seen.position, f"the record of this position stands at {expected}")
    elsewhere = _where_it_stands(connection, table, seen, row)
    if elsewhere is not None:
        there = elsewhere["position"]
        swapped = _hash(row, there, str(elsewhere["previous_hash"])) == elsewhere["hash"]
        if row["position"] > expected or swapped or _belongs(row, (there, expected + 1)):
            return Fault("reordered", expected, f"the record of this position stands at {there}")
        return Fault("inserted", expected, f"the record of this position stands at {there}{_named(row)}")
    if row["position"] > expected:
        return Fault("removed", expected, f"the next record is at position {row['position']}")
    if _belongs(row, range(expected + 1, expected + _LONGEST_SHIFT)):
        return Fault("removed", expected, f"what stands there was written later{_named(row)}")
    return Fault("changed", expected, f"it is not what its hash was computed from{_named(row)}")


def _where_it_stands(
    connection: Connection, table: Table, seen: Head, row: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return the row that has the record that follows `seen`, with its own hash or the one that it left."""
    expected = seen.position + 1
    left = row["hash"] if row["position"] == expected else None
    for other in all_rows_after(connection, table, expected):
        computed = _hash(other, expected, seen.hash)
        if computed is not None and computed in {other["hash"], left}:
            return other
    return None


def _belongs(row: Mapping[str, Any], positions: range | tuple[int, ...]) -> bool:
    return any(fits(row, position, str(row["previous_hash"])) for position in positions)


def _hash(row: Mapping[str, Any], position: int, previous_hash: str) -> str | None:
    if row["hash"] == UNREADABLE:
        return None
    try:
        return link_hash(previous_hash, position, record_of(row))
    except (TypeError, ValueError):  # a value that no record can have, such as bytes
        return None


def _named(row: Mapping[str, Any]) -> str:
    return f" (decision id {row['decision_id']})" if isinstance(row.get("decision_id"), str) else ""
