"""The whole way of a call, step by step: exchange, then gateway and API with the token that came of it."""

import json
import socket
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from benchmarks.cores import cpu_seconds
from benchmarks.exchange_contender import Exchanges
from benchmarks.gateway_contender import Running
from benchmarks.load import CannotMeasure, Sample

_PREPARED: Final = 200
"""How many exchanges are prepared at a time, while nothing is timed."""


@dataclass(frozen=True)
class Stack:
    """An authorization server, a gateway and an API behind it, and whose tokens are exchanged there."""

    exchanges: Exchanges
    exchange: Running
    gateway: Running
    path: str
    """The balance of the tokens' customer."""
    pids: tuple[int, ...]


class Connection:
    """One connection that is kept: as little of an HTTP client as is needed, for its own time counts too."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request, and return status and body.

        Raises:
            CannotMeasure: the answer has no Content-Length, or there is none.
        """
        self._socket.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if len(lengths) != 1:
            raise CannotMeasure("an answer has no Content-Length")
        while len(body) < int(lengths[0].partition(b":")[2]):
            body += self._more()
        return int(head.split(b" ", 2)[1]), body

    def _more(self) -> bytes:
        received = self._socket.recv(65_536)
        if not received:
            raise CannotMeasure("a server closed the connection")
        return received


def measure_chain(stack: Stack, seconds: float) -> Sample:
    """Go the whole way again and again over one connection each; both steps together are one request."""
    took: list[float] = []
    errors = 0
    used = sum(map(cpu_seconds, stack.pids))
    with (
        closing(Connection(stack.exchange.port)) as exchange,
        closing(Connection(stack.gateway.port)) as gateway,
    ):
        while sum(took) < seconds:
            for request in list(stack.exchanges.requests(_PREPARED)):
                began = time.perf_counter()
                errors += not _one(exchange, gateway, request, stack.path)
                took.append(time.perf_counter() - began)
    used = sum(map(cpu_seconds, stack.pids)) - used
    return Sample(
        requests=len(took),
        requests_per_second=len(took) / sum(took),
        p50_ms=statistics.median(took) * 1000,
        p99_ms=statistics.quantiles(took, n=100)[98] * 1000,
        cpu_us=used * 1e6 / len(took),
        errors=errors,
    )


def _one(exchange: Connection, gateway: Connection, request: bytes, path: str) -> bool:
    status, body = exchange.ask(request)
    if status != 200:
        return False
    token = json.loads(body)["access_token"]
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    status, _ = gateway.ask(head.encode())
    return status == 200
