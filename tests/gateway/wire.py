"""HTTP as bytes, for what no well-behaved client would send or answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx2


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """Give a connection to a server."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        yield connection


@contextmanager
def stalled(url: str, sent: bytes) -> Iterator[socket.socket]:
    """Send these bytes, and give the connection, which takes hardly anything of the answer by itself."""
    address = urlsplit(url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect((address.hostname, address.port))
        connection.sendall(sent)
        yield connection


def exchange(url: str, request: bytes) -> httpx2.Response:
    """Send these bytes and read one answer."""
    with connected(url) as connection:
        connection.sendall(request)
        answer = HTTPResponse(connection)
        answer.begin()
        return httpx2.Response(answer.status, headers=answer.getheaders(), content=answer.read())


def get(path: str, token: str, *lines: str, host: str = "gateway") -> bytes:
    """Write a GET request; `path` and the further header lines stand in it as they are."""
    return request("GET", path, token, *lines, host=host)


def request(
    method: str, path: str, token: str, *lines: str, body: bytes = b"", host: str = "gateway"
) -> bytes:
    """Write a request; `path`, the further header lines and the body stand in it as they are."""
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


@contextmanager
def raw_resource(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve a resource that reads a request's head and then does to the connection what `answer` does."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                head = b""
                while b"\r\n\r\n" not in head and (received := connection.recv(65536)):
                    head += received
                if head:
                    answer(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # Shutdown wakes the accept() that close() alone would leave waiting.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
