"""What it costs the gateway to record its decisions: `python -m benchmarks.gateway_records`.

Calls a gateway on 127.0.0.1 with and without its records on disk, in turn, over kept connections, with a
resource that answers at once. Takes less than a minute. `--database-url` measures on PostgreSQL.
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest.mock import patch

from delegation.record import Record
from delegation.signing_key import SigningKey
from gateway.app import create_app
from gateway.settings import Settings

CONNECTIONS: Final = 32
SECONDS: Final = 4.0
ROUNDS: Final = 2
AUDIENCE: Final = "https://account.api.example.com"
AGENT: Final = "https://bank-agent.example.com"
ISSUER: Final = "http://localhost:8502"


class NoLog:
    """A decision log that keeps nothing: what the gateway would be without one."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    async def __aenter__(self) -> "NoLog":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def permit(self, record: Record, *, before_effect: bool) -> None:
        """Take the record of a permit."""

    def refusal(self, record: Record) -> None:
        """Take the record of a refusal."""

    async def ready(self) -> None:
        """Pass."""


def without_records() -> object:
    """Return a gateway that keeps no records; a factory for uvicorn."""
    with patch("gateway.app.DecisionLog", NoLog):
        return create_app(Settings())


class Parties(asyncio.Protocol):
    """The resource and the issuer's keys on one port: answers each request at once."""

    jwks: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, rest = self._data.partition(b"\r\n\r\n")
            length = _content_length(head)
            if len(rest) < length:
                return
            self._data = rest[length:]
            body = self.jwks if head.startswith(b"GET /jwks") else b'{"answer":"from the resource"}'
            answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            self._transport.write(answer % (len(body), body))  # type: ignore[attr-defined]


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


@contextmanager
def running_gateway(factory: str, port: int, environment: dict[str, str], data: Path) -> Iterator[int]:
    """Run a gateway as its image does, until the end of the block; gives its process id."""
    command = [sys.executable, "-m", "uvicorn", factory, "--factory", "--port", str(port)]
    command += [
        "--http",
        "delegation.http_protocol:HttpProtocol",
        "--no-access-log",
        "--log-level",
        "warning",
    ]
    settings = environment | {"DATA_DIR": str(data)}
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL) as process:
        yield process.pid
        process.terminate()


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def request(method: str, path: str, token: str) -> bytes:
    """Return a call with this token."""
    body = b'{"amount":{"amount_minor":1,"currency":"EUR"}}' if method == "POST" else b""
    framing = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
    head = f"{method} {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n{framing}\r\n"
    return head.encode() + body


async def call(port: int, message: bytes, until: float) -> list[float]:
    """Call over one connection until then; return how long each call took, in seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    while (begin := time.perf_counter()) < until:
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(_content_length(head))
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the gateway answered {head.splitlines()[0].decode()}")
        took.append(time.perf_counter() - begin)
    writer.close()
    return took


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measured(port: int, pid: int, message: bytes) -> tuple[float, float, float, float]:
    """Return calls a second, the median and the 99th percentile of their milliseconds, and the processor's.

    The last is what other work on the machine does not change.
    """
    await call(port, message, time.perf_counter() + 0.5)
    begin, used = time.perf_counter(), cpu_seconds(pid)
    calls = await asyncio.gather(*(call(port, message, begin + SECONDS) for _ in range(CONNECTIONS)))
    took = sorted(one * 1000 for each in calls for one in each)
    rate = len(took) / (time.perf_counter() - begin)
    cpu = (cpu_seconds(pid) - used) * 1000 / len(took)
    return rate, statistics.median(took), took[int(len(took) * 0.99)], cpu


async def ready(port: int) -> None:
    """Wait until the gateway takes connections."""
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise SystemExit("the gateway did not start")


async def main(database_url: str) -> None:
    """Measure, and print a row for each kind of call."""
    key = SigningKey.generate()
    Parties.jwks = str({"keys": [key.public_jwk]}).replace("'", '"').encode()
    server = await asyncio.get_running_loop().create_server(Parties, "127.0.0.1", 0)
    parties = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    environment = {"UPSTREAM_URL": parties, "JWKS_URI": f"{parties}/jwks", "DATABASE_URL": database_url}
    kinds = {
        "read": request("GET", "/accounts", _token(key, "account:read_balance")),
        "write": request("POST", "/transfers", _token(key, "account:transfer")),
    }
    factories = {"without": "benchmarks.gateway_records:without_records", "with": "gateway.app:create_app"}
    found: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, factory in factories.items():
                port = free_port()
                with running_gateway(factory, port, environment, Path(folder)) as pid:
                    await ready(port)
                    for kind, message in kinds.items():
                        found.setdefault((kind, name), []).append(await measured(port, pid, message))
    sys.stdout.write(f"{CONNECTIONS} connections, the best of {ROUNDS} rounds of {SECONDS:.0f} s\n")
    for (kind, name), rounds in sorted(found.items()):
        rate, median, p99, _ = max(rounds)
        cpu = min(each[-1] for each in rounds)
        sys.stdout.write(
            f"{kind:6} {name:8} records: {rate:6.0f} calls/s, median {median:5.1f} ms, p99 {p99:5.1f} ms, "
            f"{cpu:5.2f} ms of the processor for each\n"
        )


def _token(key: SigningKey, scope: str) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "customer@example.com",
        "act": {"sub": AGENT},
        "client_id": AGENT,
        "scope": scope,
        "jti": "benchmark",
        "iat": now,
        "exp": now + 300,
    }
    return key.sign(claims, "at+jwt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", default="", help="postgresql://…; SQLite if not said")
    asyncio.run(main(parser.parse_args().database_url))
