"""The command line that audits a server's records, as an auditor runs it beside the server."""

import json
import os
from collections.abc import Sequence
from typing import Any

import pytest

from auth_server.__main__ import main
from tests.auth_server.servers import AuthServer


def run(
    server: AuthServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, str, str]:
    """Return exit status, standard output and standard error of `python -m auth_server audit …`."""
    with monkeypatch.context() as environment:
        for name in os.environ:
            environment.delenv(name)
        environment.setenv("DATA_DIR", str(server.settings.data_dir))
        environment.setenv("DATABASE_URL", server.settings.database_url)
        capsys.readouterr()
        status = main(["audit", *words])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def verdict(
    server: AuthServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: Sequence[str] = (),
) -> tuple[int, dict[str, Any]]:
    """Return exit status and JSON of `audit verify`."""
    status, out, err = run(server, capsys, monkeypatch, "verify", "--json", *more)
    assert err == "" or "verified" in err
    return status, json.loads(out)
