"""Writes that belong together: one system call takes an answer's head and the first of its body."""

from asyncio import AbstractEventLoop, Transport
from typing import Any, Final

_MOST_JOINED_BYTES: Final = 16 * 1024
"""What is longer is not copied to save a call."""


class JoinedWrites:
    """A transport that holds one write back for the next one, until the event loop's turn is over at most.

    Nothing is held for longer, or held while it is closed; what is held counts nowhere else, so it is short.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        # Asked for with each request.
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else the transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, now or with what comes next."""
        if self._held:
            held, self._held = self._held, b""
            if len(data) <= _MOST_JOINED_BYTES:
                self._transport.write(held + data)
                return
            self._transport.write(held)
        elif len(data) <= _MOST_JOINED_BYTES:
            self._held = data
            self._loop.call_soon(self._write_held)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Write what is held, and close."""
        self._write_held()
        self._transport.close()

    def _write_held(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)
