"""The resource behind the gateways: nginx, which costs next to nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.cores import REST, on
from benchmarks.load import program
from docs.conformance.foreign import serving
from tests.free_ports import free_ports

ANSWER_BYTES: Final = 120
LONGER_ANSWERS: Final = (10_240, 102_400, 1_048_576)
"""Lengths of the answers to the account `bytes-LENGTH`."""

_CONFIGURATION: Final = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; default_type application/json;
  sendfile on; open_file_cache max=100; client_max_body_size 8m; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ ^/accounts/(bytes-[0-9]+)/ {{ alias {folder}/$1; }}
    location / {{ return 200 '{answer}'; }}
  }}
}}
"""


def json_of(length: int) -> str:
    """Return a JSON document of so many bytes."""
    start, end = '{"memo":"', '"}'
    return start + "x" * (length - len(start) - len(end)) + end


@contextmanager
def backend(folder: Path) -> Iterator[int]:
    """Serve until the end of the block; gives the port."""
    [port] = free_ports(1)
    for length in LONGER_ANSWERS:
        (folder / f"bytes-{length}").write_text(json_of(length))
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, answer=json_of(ANSWER_BYTES)))
    with serving([*on(REST), program("nginx", "nginx"), "-p", folder, "-c", configuration], folder, port):
        yield port
