"""Is a service's chain of records what was written? Recomputes every hash and checks every signature."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jwt import PyJWK
from sqlalchemy import Connection, Table, func, select

from delegation.record_chain import GENESIS, Head
from delegation.record_checkpoint import BadCheckpoint, UnknownCheckpointKey, check_checkpoint
from delegation.record_fault import Fault, fault_at, fits
from delegation.record_retention import PRUNE, cut_resource
from delegation.record_rows import rows_after
from delegation.record_table import chain_table, checkpoint_table

_BATCH: Final = 1000
"""Rows in memory at one time."""

Progress = Callable[[int], None]
"""Is told how many records have been looked at."""


@dataclass(kw_only=True)
class Verdict:
    """What was found: `fault` is the first record that is not as it was written, None in an intact chain.

    `records` were looked at, the last of them at `position`; they begin after `cut`. `unchained` rows are
    from before there was a chain, and nothing is said of them. `checkpoints` were verified, the last at
    `signed_position`: what stands after it, nobody has signed yet. `unknown_keys` checkpoints could not be
    verified, because their keys were not given. Of the checkpoints that were kept elsewhere, `kept` fit, and
    `kept_before_cut` are of records that were removed since. `oldest` is the time of the first record.
    """

    records: int = 0
    position: int = 0
    cut: int = 0
    unchained: int = 0
    checkpoints: int = 0
    signed_position: int = 0
    unknown_keys: int = 0
    kept: int = 0
    kept_before_cut: int = 0
    oldest: str | None = None
    fault: Fault | None = None


def verify(
    connection: Connection,
    table: Table,
    service: str,
    keys: Mapping[str, PyJWK],
    progress: Progress = lambda _records: None,
    kept: Sequence[Head] = (),
) -> Verdict:
    """Verify the chain of this service, in the caller's transaction, which shows it at one moment.

    `keys` are those with which the authorization server signs and signed checkpoints, by `kid`; `kept` are
    heads from checkpoints that were kept elsewhere, of which the caller has verified the signatures.
    """
    return _Verification(connection, table, service, keys, progress, kept).run()


class _Verification:
    def __init__(
        self,
        connection: Connection,
        table: Table,
        service: str,
        keys: Mapping[str, PyJWK],
        progress: Progress,
        kept: Sequence[Head],
    ) -> None:
        self._connection = connection
        self._table = table
        self._checkpoint = checkpoint_table(table)
        self._service = service
        self._keys = keys
        self._progress = progress
        self._kept = kept
        counts = (head.unchained for head in kept)
        self._signed_unchained = [count for count in counts if count is not None]
        self._verdict = Verdict()
        self._seen = Head()
        self._contradiction: Fault | None = None

    def run(self) -> Verdict:
        self._verdict.fault = self._first_fault()
        self._verdict.position = self._seen.position
        return self._verdict

    def _first_fault(self) -> Fault | None:
        state = self._connection.execute(select(chain_table(self._table))).one_or_none()
        outside = self._table.c.position.is_(None)
        self._verdict.unchained = self._count(outside)
        if state is None:
            chained = self._count(~outside)
            return Fault("removed", None, "the chain's head") if chained else self._fault_of_kept_end()
        self._verdict.cut = state.cut_position
        self._seen = Head(state.cut_position, state.cut_hash)
        return (
            self._fault_of_cut(state.cut_jws)
            or self._fault_of_kept_beginning(state.cut_jws)
            or self._fault_in_rows(Head(state.position, state.hash))
            or self._fault_of_end(Head(state.position, state.hash))
            or self._fault_outside(state.unchained)
        )

    def _count(self, condition: Any) -> int:  # noqa: ANN401 - SQLAlchemy's conditions are of many types
        return self._connection.scalar(select(func.count()).select_from(self._table).where(condition)) or 0

    def _fault_outside(self, expected: int) -> Fault | None:
        found = self._verdict.unchained
        what = f"{found} rows stand outside of the chain, and {expected} were there before it began"
        if found != expected:
            return Fault("inserted" if found > expected else "removed", None, what)
        # Removal by age makes it less. Nothing makes it more.
        if found > (signed := min(self._signed_unchained, default=found)):
            what = f"{found} rows stand outside of the chain, and a checkpoint was signed when {signed} did"
            return Fault("inserted", None, what)
        if self._count(self._table.c.position < 1):
            return Fault("inserted", None, "a row with a position before the first")
        return None

    def _fault_of_cut(self, jws: str | None) -> Fault | None:
        cut = self._seen
        if cut.position == 0:
            return None if cut.hash == GENESIS else Fault("changed", None, "the chain's beginning")
        recorded = self._table.c.operation == PRUNE, self._table.c.resource == cut_resource(cut.position)
        if not self._connection.scalar(
            select(self._table.c.id).where(*recorded, self._table.c.position > cut.position).limit(1)
        ):
            return Fault("removed", 1, f"up to position {cut.position}, and no record says so")
        if jws is None:
            signed = self._connection.scalar(select(self._checkpoint.c.position).limit(1))
            return Fault("cut", cut.position, "the cut is not signed") if signed else None
        fault = self._fault_of_signature(jws, cut, is_cut=True)
        if fault is None and self._verdict.checkpoints:
            self._verdict.signed_position = cut.position
        return fault

    def _fault_of_kept_beginning(self, cut_jws: str | None) -> Fault | None:
        cut = self._seen
        self._verdict.kept_before_cut = sum(head.position < cut.position for head in self._kept)
        if self._verdict.kept_before_cut and cut_jws is None:
            return Fault("cut", cut.position, "the cut is not signed, and a checkpoint kept elsewhere is")
        return self._fault_of_kept() if cut.position else None

    def _fault_of_kept(self) -> Fault | None:
        """Compare the place that was reached with the checkpoints of it that were kept elsewhere."""
        for head in self._kept:
            if head.position == self._seen.position:
                if head.hash != self._seen.hash:
                    return self._computed_anew("the hash is not that of a checkpoint kept elsewhere")
                self._verdict.kept += 1
                self._verdict.signed_position = head.position
        return None

    def _fault_of_kept_end(self) -> Fault | None:
        last = self._seen.position
        furthest = max((head.position for head in self._kept), default=last)
        what = f"the end: a checkpoint kept elsewhere was signed for position {furthest}"
        return Fault("removed", last + 1, what) if furthest > last else None

    def _computed_anew(self, what: str) -> Fault:
        # The first position that nothing signed vouches for, but no further than where it differs.
        first = max(self._verdict.signed_position, self._verdict.cut) + 1
        here = self._seen.position
        return Fault("changed", min(first, here), f"between here and position {here}, where {what}")

    def _fault_in_rows(self, head: Head) -> Fault | None:
        while rows := rows_after(self._connection, self._table, self._seen.position, _BATCH):
            signed = self._signed(self._seen.position, rows[-1]["position"])
            for row in rows:
                if fault := self._fault_of_row(row, head) or self._contradiction:
                    return fault
                self._seen = Head(row["position"], row["hash"])
                self._verdict.records += 1
                self._verdict.oldest = self._verdict.oldest or row["time"]
                self._contradiction = self._fault_of_kept()
                if self._seen.position in signed and (
                    fault := self._fault_of_checkpoint(*signed[self._seen.position])
                ):
                    return fault
            self._progress(self._verdict.records)
        return None

    def _fault_of_row(self, row: Mapping[str, Any], head: Head) -> Fault | None:
        expected = self._seen.position + 1
        fault = None
        if row["position"] != expected or not fits(row, expected, self._seen.hash):
            fault = fault_at(self._connection, self._table, self._seen, row, self._verdict.cut)
        if expected > head.position and (fault is None or fault.position == expected):
            return Fault("inserted", expected, "after the chain's last record")
        return fault

    def _signed(self, after: int, until: object) -> dict[int, tuple[str, str]]:
        column = self._checkpoint.c
        until = until if isinstance(until, int) else after
        rows = self._connection.execute(
            select(column.position, column.hash, column.jws).where(
                column.position > after, column.position <= until
            )
        )
        return {row.position: (row.hash, row.jws) for row in rows}

    def _fault_of_checkpoint(self, hash_: str, jws: str) -> Fault | None:
        fault = self._fault_of_signature(jws, Head(self._seen.position, hash_))
        if fault is None and hash_ != self._seen.hash:
            # If only this record has a new hash, the next one shows it; else the chain was computed anew.
            self._contradiction = self._computed_anew("the hash is not the signed one")
        elif fault is None:
            self._verdict.signed_position = self._seen.position
        return fault

    def _fault_of_signature(self, jws: str, head: Head, *, is_cut: bool = False) -> Fault | None:
        try:
            signed = check_checkpoint(jws, self._keys, self._service, head, is_cut=is_cut)
        except UnknownCheckpointKey:
            self._verdict.unknown_keys += 1
        except BadCheckpoint as error:
            return Fault("checkpoint", head.position, str(error))
        else:
            self._verdict.checkpoints += 1
            if signed.unchained is not None:
                self._signed_unchained.append(signed.unchained)
        return None

    def _fault_of_end(self, head: Head) -> Fault | None:
        last = self._seen
        if last.position < head.position:
            what = f"the end: the chain's head is at position {head.position}"
            return Fault("removed", last.position + 1, what)
        if last.hash != head.hash:
            return Fault("changed", last.position, "its hash was made anew")
        if self._contradiction:
            return self._contradiction
        if fault := self._fault_of_kept_end():
            return fault
        beyond = self._connection.execute(
            select(self._checkpoint).where(self._checkpoint.c.position > last.position).limit(1)
        ).one_or_none()
        if beyond is None:
            return None
        what = f"the end: a checkpoint was signed for position {beyond.position}"
        signature = self._fault_of_signature(beyond.jws, Head(beyond.position, beyond.hash))
        return signature or Fault("removed", last.position + 1, what)
