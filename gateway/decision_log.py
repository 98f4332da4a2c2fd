"""Decisions on their way to the disk: what cannot be recorded may not be allowed.

One thread writes, off the event loop, everything that has come meanwhile in one transaction (group commit).
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from delegation.health import NotReady
from delegation.record import Record, print_records
from gateway.record_store import RecordStore

_GATHER_SECONDS: Final = 0.02
"""How long records that nobody waits for are gathered, at most, before they are written together."""
_RETRY_SECONDS: Final = 0.25
_MOST_AT_ONCE: Final = 1000
_STOP_SECONDS: Final = 8.0
_log = logging.getLogger(__name__)


class CannotRecord(Exception):
    """The decision cannot be recorded now; the text says why, for the caller."""


@dataclass(slots=True, eq=False)
class _Entry:
    record: Record
    came_at: float
    waiter: asyncio.Future[None] | None
    withdrawn: bool = field(default=False)


class DecisionLog:
    """Takes records on the event loop, and writes them to the store in a thread of its own.

    `bound_seconds` is how long anything may stay unwritten before no more is let go unwritten, `wait_seconds`
    how long a permit that must be written first waits for that, `capacity` how many records may wait.
    Refusals have half of it, so that a flood of them leaves room for permits.
    """

    def __init__(
        self,
        store: RecordStore,
        *,
        bound_seconds: float,
        wait_seconds: float,
        capacity: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._bound_seconds = bound_seconds
        self._wait_seconds = wait_seconds
        self._capacity = capacity
        self._monotonic = monotonic
        self._queue: deque[_Entry] = deque()
        self._unprinted: list[Record] = []
        self._waiting = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._give_up_at = 0.0
        self._fault: str | None = "the database has not been opened yet"
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> "DecisionLog":
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what is left, and stop."""
        with self._changed:
            self._stopping, self._give_up_at = True, self._monotonic() + _STOP_SECONDS / 2
            self._changed.notify()
        await asyncio.to_thread(self._thread.join, _STOP_SECONDS)
        if left := len(self._queue):
            _log.error("stopped with %d records unwritten; they are on standard output alone", left)
        self._store.dispose()

    def print(self, record: Record) -> None:
        """Write a record to standard output in the event loop's next turn, with those of the moment."""
        self._unprinted.append(record)
        if len(self._unprinted) == 1:
            self._loop.call_soon(self._print)

    async def printed(self, record: Record) -> None:
        """Write a record to standard output; return when it is there."""
        self.print(record)
        await asyncio.sleep(0)  # the event loop's turn comes after `_print`, which stands in line before us

    def _print(self) -> None:
        records, self._unprinted = self._unprinted, []
        print_records(records)

    def permit(self, record: Record) -> None:
        """Take the record of a permit without an effect, which is written soon.

        Raises:
            CannotRecord: it may not be allowed.
        """
        self._take(_Entry(record, self._monotonic(), None), self._capacity)

    async def permit_on_disk(self, record: Record) -> None:
        """Take the record of a permit and return when it is on disk: only then may its effect begin.

        Raises:
            CannotRecord: it may not be allowed. A record that was just being committed may still appear.
        """
        waiter = self._loop.create_future()
        entry = _Entry(record, self._monotonic(), waiter)
        self._take(entry, self._capacity)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await waiter
        except TimeoutError:
            raise CannotRecord("The record of this decision cannot be written now.") from None
        finally:
            entry.withdrawn = not waiter.done() or waiter.cancelled()

    def refusal(self, record: Record) -> None:
        """Take the record of a refusal, if there is room; else its line on standard output must do."""
        try:
            self._take(_Entry(record, self._monotonic(), None), self._capacity // 2, is_permit=False)
        except CannotRecord:
            _log.warning("no room for the record of refusal %s", record.decision_id)

    async def ready(self) -> None:
        """Pass if records are being written.

        Raises:
            NotReady: they are not, so permits are refused.
        """
        with self._changed:
            lack = self._fault or self._lack(self._capacity)
        if lack:
            raise NotReady(f"decisions cannot be recorded, so none is permitted for long: {lack}")

    def _take(self, entry: _Entry, capacity: int, *, is_permit: bool = True) -> None:
        with self._changed:
            # Who waits for the disk need not mind that it is slow, only that it takes nothing.
            minds_age = is_permit and (entry.waiter is None or self._fault is not None)
            if len(self._queue) >= capacity or (minds_age and self._lack(capacity)):
                raise CannotRecord("Decisions cannot be recorded now.")
            self._queue.append(entry)
            self._waiting += entry.waiter is not None
            # The thread wakes for the first record and for those that somebody waits for: no more than that.
            if len(self._queue) == 1 or entry.waiter is not None:
                self._changed.notify()

    def _lack(self, capacity: int) -> str | None:
        if self._stopping:
            return "the gateway is stopping"
        if len(self._queue) >= capacity:
            return f"{len(self._queue)} records wait to be written"
        if self._queue and self._monotonic() - self._queue[0].came_at > self._bound_seconds:
            return f"a record has waited for more than {self._bound_seconds} s to be written"
        return None

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            try:
                left = (entry.record for entry in batch if not entry.withdrawn)
                self._store.append(left, again=self._fault is not None)
            except Exception as error:  # noqa: BLE001 - whatever it is, this thread must go on
                self._failed(error)
            else:
                self._written(batch)

    def _next_batch(self) -> Sequence[_Entry] | None:
        """Return what is to be written next; nothing, to see whether writing works again; None to end."""
        with self._changed:
            if self._fault and not self._stopping:
                return list(islice(self._queue, _MOST_AT_ONCE))
            self._changed.wait_for(lambda: self._queue or self._stopping)
            gives_up = self._fault is not None and self._monotonic() > self._give_up_at
            if not self._queue or gives_up:
                return None
            self._changed.wait_for(lambda: self._waiting or self._stopping, _GATHER_SECONDS)
            return list(islice(self._queue, _MOST_AT_ONCE))

    def _written(self, batch: Sequence[_Entry]) -> None:
        with self._changed:
            for entry in batch:
                self._queue.popleft()
                self._waiting -= entry.waiter is not None
            self._fault = None
        waiters = [entry.waiter for entry in batch if entry.waiter is not None]
        if waiters:
            self._loop.call_soon_threadsafe(_resolve, waiters)

    def _failed(self, error: Exception) -> None:
        # The driver's text may hold values: only its kind is told.
        fault = f"the database does not take them ({type(error).__name__}); check DATABASE_URL and DATA_DIR"
        with self._changed:
            if fault != self._fault:
                _log.error("records cannot be written: %s", fault)
            self._fault = fault
            self._changed.wait(_RETRY_SECONDS)


def _resolve(waiters: Sequence[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
