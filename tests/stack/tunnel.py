"""A way from a test to a service that publishes no port: through its own container."""

import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_RELAY = """
import os, socket, sys, threading

def upwards():
    while data := os.read(0, 65536):
        service.sendall(data)
    service.shutdown(socket.SHUT_WR)

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as service:
    threading.Thread(target=upwards, daemon=True).start()
    while data := service.recv(65536):
        while data:
            data = data[os.write(1, data):]
"""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def tunnel(container: str, port: int) -> Iterator[str]:
    """Give an address on this machine at which the port inside the container answers.

    Each connection is one `docker exec`. Given the container's name, the address holds for its successor too.
    """

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # The connection itself is the command's input and output, so no byte passes through Python here.
            assert isinstance(self.request, socket.socket)
            subprocess.run(
                ["docker", "exec", "--interactive", container, "python", "-c", _RELAY, str(port)],
                stdin=self.request.fileno(),
                stdout=self.request.fileno(),
                stderr=subprocess.DEVNULL,
                check=False,
            )

    with _Server(("127.0.0.1", 0), Connection) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
