"""Debian's Chromium, driven by Playwright."""

import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.stack import deaf_to_interfaces

RESULTS: Final = Path(__file__).parents[2] / "test-results" / "e2e"
"""Where screenshots are left for a person to look at."""

_QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)


def chromium_path() -> str | None:
    """Return where Chromium is installed, if it is."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """Run a browser without a window.

    It asks nothing of the network by itself, and containers that come and go do not disturb it.
    """
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        launcher = Path(folder) / "chromium"
        command = shlex.join([sys.executable, deaf_to_interfaces.__file__, path])
        launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        launcher.chmod(0o700)
        browser = playwright.chromium.launch(executable_path=launcher, args=list(_QUIET))
        try:
            yield browser
        finally:
            browser.close()
