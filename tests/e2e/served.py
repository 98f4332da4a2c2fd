"""Addresses at which the suite itself serves something for the target."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from tests.e2e.verdict import UnsoundRun
from tests.serving import serve


@contextmanager
def serving(listen: str, app: ASGIApp, what: str) -> Iterator[None]:
    """Serve an application at `host:port`.

    Raises:
        UnsoundRun: the address cannot be taken; `what` is the field of the target file that names it.
    """
    host, _, port = listen.rpartition(":")
    try:
        with serve(app, int(port), host.strip("[]") or "127.0.0.1"):
            yield
    except (OSError, OverflowError) as error:
        raise UnsoundRun(f"{what} cannot be served at {listen}: {error}") from error
