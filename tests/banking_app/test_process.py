"""The whole app as it is deployed, one process under uvicorn: pages, headers, log, and the line "Open …"."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.banking_app.chatbot import Chatbot
from tests.banking_app.conftest import app_settings, free_port, get
from tests.banking_app.provider import Provider

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def provider_now() -> Iterator[Provider]:
    """A provider by the machine's clock, which is the process's too."""
    with Provider().serving() as provider:
        yield provider


class Process:
    """A running app. What it prints is read as it comes, errors and output in their order."""

    def __init__(self, settings: dict[str, Any], folder: Path) -> None:
        self.url = settings["public_url"]
        told = {name.upper(): str(value) for name, value in settings.items()}
        port = self.url.rsplit(":", 1)[1]
        command = [sys.executable, "-m", "uvicorn", "banking_app.app:create_app", "--factory"]
        self._process = subprocess.Popen(
            [*command, "--no-access-log", "--port", port],
            # Started elsewhere, so that nothing may depend on the current folder.
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **told},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []

    def wait_for(self, text: str) -> None:
        """Read on until a line holds `text`."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(line)
            if text in line:
                return
        pytest.fail(f"the process ended without saying {text!r}:\n{''.join(self.said)}")

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate(timeout=20)


@pytest.fixture(scope="module")
def process(
    provider_now: Provider, chatbot: Chatbot, account_api: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("process")
    settings = app_settings(provider_now, chatbot, account_api, free_port(), folder / "data")
    process = Process(settings, folder)
    try:
        process.wait_for("Open ")
        yield process
    finally:
        process.end()


def test_process_says_once_which_address_to_open_when_it_is_ready(process: Process) -> None:
    assert process.said[-1] == f"Open {process.url} and sign on\n"
    assert get(f"{process.url}/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize("page", ["/", "/assistant", "/permissions"])
def test_pages_are_served_to_this_origin_only(process: Process, page: str) -> None:
    answer = get(f"{process.url}{page}")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("file", ["tokens.css", "notice.css", "figtree.woff2", "newsreader.woff2"])
def test_styles_and_fonts_come_from_the_app_itself(process: Process, file: str) -> None:
    assert get(f"{process.url}/app/static/{file}").status_code == 200


def test_configuration_is_found_from_any_folder(process: Process) -> None:
    # Static files are served, so the file was read: then these hold too.
    assert httpx2.post(f"{process.url}/_stcore/agent/interact", json={}, verify=False).status_code == 403
    assert "_streamlit_xsrf" in get(f"{process.url}/_stcore/health").headers["set-cookie"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:9", 403), ("https://evil.example", 403), ("null", 403), ("own", 101)],
)
def test_only_our_own_pages_can_connect(process: Process, origin: str, status: int) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers = {"Origin": process.url if origin == "own" else origin, "Sec-WebSocket-Key": "A" * 22 + "=="}
    with httpx2.stream(
        "GET", f"{process.url}/_stcore/stream", headers=upgrade | headers, verify=False
    ) as answer:
        assert answer.status_code == status


def test_log_holds_no_code_state_token_or_cookie(process: Process, provider_now: Provider) -> None:
    provider_now.app_jwks = get(f"{process.url}/jwks.json").json()
    with httpx2.Client(base_url=process.url, verify=False) as browser:
        back = get(browser.get("/login").headers["location"]).headers["location"]
        assert browser.get(back).status_code == 303
        secrets = [back.split("?")[1], browser.cookies["banking_session"], *provider_now.issued]
        asked = browser.get("/logout?csrf_token=guessed").text
        csrf_token = asked.split('name="csrf_token" value="')[1].split('"')[0]
        # What is said is read up to this last refusal, so every line of the requests before it is in.
        assert browser.get(f"/logout?csrf_token={csrf_token}").status_code == 303
        assert browser.get(back).status_code == 400
    process.wait_for('"decision":"deny"')
    said = "".join(process.said)
    assert '"operation":"sign_out"' in said
    assert not [secret for secret in [*secrets, csrf_token, "guessed", "/callback?"] if secret in said]
