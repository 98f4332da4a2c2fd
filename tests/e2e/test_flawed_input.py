"""Flawed input to the suite ends in a clear message and exit status 2, never in a stack trace or a pass."""

import asyncio
import contextlib
import itertools
import os
import socket
import socketserver
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.e2e.__main__ import main
from tests.e2e.in_process import TARGET_FILE
from tests.e2e.program import Program
from tests.free_ports import free_ports
from tests.serving import serve

RESOURCE_WITH_MCP = """
name = "A gateway"
[resource]
url = "http://y"
audience = "https://api.example.com"
[resource.mcp]
[resource.read]
path = "/balance"
"""
MINIMAL = """
name = "A server"
timeout_seconds = 1

[authorization_server]
issuer = "{url}"
token_endpoint = "{url}/token"

[clients.agent]
client_id = "agent"
authentication = "client_secret_post"
secret_env = "AGENT_SECRET"

[subject_token]
source = "environment"
token_env = "SUBJECT_TOKEN"

[exchange]
target = "https://api.example.com"

[not_offered]
actor_token = "no actor tokens"
metadata = "none"
"""

Answer = Callable[[Request], Response]


@pytest.fixture
def refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], environment: dict[str, str]
) -> Callable[..., str]:
    """Run the suite with a target file that cannot be used; return what it says."""

    def run(text: str, *arguments: str, **variables: str) -> str:
        file = tmp_path / "target.toml"
        file.write_text(text)
        secrets = {"AGENT_SECRET": "s", "SUBJECT_TOKEN": "t"}
        capfd.readouterr()
        status = main(["--target", str(file), *arguments], environment | secrets | variables)
        told = capfd.readouterr()
        assert status == 2, told.out
        assert "Traceback" not in told.out + told.err
        assert "conformant" not in told.out
        return told.err

    return run


@pytest.fixture
def server(refused: Callable[..., str]) -> Callable[[Answer], str]:
    """Run the suite against a token endpoint that answers like this; return what it says."""

    def run(answer: Answer) -> str:
        with serve(Starlette(routes=[Route("/token", answer, methods=["GET", "POST"])])) as url:
            return refused(MINIMAL.format(url=url))

    return run


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "is no TOML"),
        ("", "name: Field required"),
        ('name = "x"', "name an [authorization_server], a [resource], or both"),
        ('name = "x"\nissuer = "y"', "issuer: Extra inputs are not permitted"),
        (
            'name = "x"\n[authorization_server]\nissuer = "ftp://y"',
            "authorization_server.issuer: Value error, must be an http",
        ),
        ('name = "x"\n[authorization_server]\nissuer = "http://y"', "clients.agent is missing"),
        ('name = "x"\n[not_offered]\nflying = "no"', "not_offered.flying"),
        ('name = "x"\n[[expected_failures]]\nrule = "TX-99"\nreason = "r"', "there is no rule TX-99"),
        ('name = "${NOT_SET_ANYWHERE}"', "NOT_SET_ANYWHERE"),
        (
            MINIMAL.replace("secret_env", "key_env").format(url="http://y"),
            "clients.agent.secret_env is missing",
        ),
        (MINIMAL.replace("environment", "sign_on").format(url="http://y"), "[sign_on] is missing"),
        (RESOURCE_WITH_MCP, "resource.read.tool is missing"),
        (f'{RESOURCE_WITH_MCP}[not_offered]\nmcp = "no"', "[not_offered] says that MCP is not"),
        (f'{RESOURCE_WITH_MCP}[backend]\nlisten = "127.0.0.1:9"', "[backend] speaks no MCP"),
    ],
)
def test_a_wrong_target_file_is_told(text: str, said: str, refused: Callable[..., str]) -> None:
    assert said in refused(text)


def test_a_target_file_that_is_not_there_or_no_text_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    binary = tmp_path / "target.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, binary, tmp_path / "nowhere.toml"):
        assert main(["--target", str(path)]) == 2
        assert "cannot be read" in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--only", "XX-1"], ["--rate", "0"], ["--rate", "fast"], ["--profile", "x"], []]
)
def test_a_wrong_argument_is_told(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--target", str(TARGET_FILE), *arguments] if arguments else [])
    assert ended.value.code == 2
    assert "error:" in capfd.readouterr().err


def test_a_missing_or_wrong_secret_is_told(refused: Callable[..., str]) -> None:
    text = MINIMAL.format(url="http://127.0.0.1:9")
    assert "the environment variable AGENT_SECRET must hold" in refused(text, AGENT_SECRET="")
    with_key = text.replace("client_secret_post", "private_key_jwt").replace("secret_env", "key_env")
    assert "AGENT_SECRET must hold a private key in PEM" in refused(with_key)


def test_a_host_that_is_not_there_is_told(refused: Callable[..., str]) -> None:
    [port] = free_ports(1)
    assert f"http://127.0.0.1:{port}/token cannot be used" in refused(
        MINIMAL.format(url=f"http://127.0.0.1:{port}")
    )
    assert "no-such-host.invalid" in refused(MINIMAL.format(url="http://no-such-host.invalid"))


def test_an_endpoint_that_says_nothing_is_told(refused: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "did not answer in 1 s" in refused(MINIMAL.format(url=url))


@contextmanager
def raw_server(pieces: Callable[[], Iterator[bytes]]) -> Iterator[str]:
    """Answer every connection with these pieces, a moment between them, whatever was asked."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                for piece in pieces():
                    self.request.sendall(piece)
                    time.sleep(0.1)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:
            running.shutdown()


def test_headers_that_drip_are_told(refused: Callable[..., str]) -> None:
    pieces = itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-Slow: 1\r\n"))
    with raw_server(lambda: pieces) as url:
        assert "did not answer in 1 s" in refused(MINIMAL.format(url=url))


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n{", b"SSH-2.0-OpenSSH\r\n", b""]
)
def test_an_answer_that_is_cut_short_or_not_http_is_told(answer: bytes, refused: Callable[..., str]) -> None:
    with raw_server(lambda: iter([answer])) as url:
        assert "/token cannot be used" in refused(MINIMAL.format(url=url))


async def _endless(size: int, pause_seconds: float) -> AsyncIterator[bytes]:
    while True:
        yield b" " * size
        await asyncio.sleep(pause_seconds)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: PlainTextResponse("<html>hello"), "the legitimate exchange to yield a token, got 200"),
        (lambda _: PlainTextResponse("[" * 200_000), "to yield a token, got 200"),
        (lambda _: JSONResponse({"access_token": 5}), "to yield a token, got 200"),
        (lambda _: JSONResponse({"error": "invalid_request"}, 400), "got 400 invalid_request"),
        (lambda r: RedirectResponse(str(r.url), 307), "to yield a token, got 307"),
        (lambda _: StreamingResponse(_endless(1, 0.05)), "did not answer in 1 s"),
        (lambda _: StreamingResponse(_endless(1 << 20, 0)), "answers more than 1048576 bytes"),
    ],
    ids=["not JSON", "deep JSON", "no token", "refused", "redirect loop", "dripping", "2 GB"],
)
def test_an_answer_that_is_none_is_told(answer: Answer, said: str, server: Callable[[Answer], str]) -> None:
    assert said in server(answer)


def test_a_login_that_fails_is_told(refused: Callable[..., str]) -> None:
    assert "sign-on failed: customer@example.com was refused with 403" in refused(
        TARGET_FILE.read_text(), CUSTOMER_PASSWORD="wrong", PYTHON="cat"
    )


def test_programs_that_fail_are_told(refused: Callable[..., str]) -> None:
    command = MINIMAL.replace('source = "environment"', 'source = "command"\ncommand = ["{program}"]')
    for program, said in (
        ("false", "false gave no token, and ended with status 1"),
        ("/nowhere", "be started"),
    ):
        assert said in refused(command.replace("{program}", program).format(url="http://x"))


def test_reports_that_cannot_be_written_are_told(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "taken").write_text("")
    command = 'command = ["${PYTHON:-python}", "-m", "tests.stack.minting"]\nsubject_tokens = true'
    text = TARGET_FILE.read_text().replace(command, 'key_env = "AGENT_KEY"\naccess_tokens = false')
    assert "cannot be written" in refused(text, "--only", "TX-02", "--report", str(tmp_path / "taken"))


def test_an_address_with_a_password_or_of_no_form_is_told(refused: Callable[..., str]) -> None:
    assert "no user name and password" in refused(MINIMAL.format(url="http://joe:secret@x"))
    assert "authorization_server.issuer" in refused(MINIMAL.format(url="http://[x"))


def test_a_proxy_that_is_none_is_told(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "foo://bar")
    assert "proxy" in refused(MINIMAL.format(url="http://id.example.invalid"))


def test_a_server_that_refuses_everything_after_the_first_exchange_passes_nothing(
    server: Callable[[Answer], str], tmp_path: Path
) -> None:
    answers = itertools.chain(
        [JSONResponse({"access_token": "t", "token_type": "Bearer", "issued_token_type": "x"})],
        itertools.repeat(JSONResponse({"error": "invalid_request"}, 400)),
    )
    server(lambda _: next(answers))


def test_a_server_that_limits_the_rate_is_told(
    server: Callable[[Answer], str], capfd: pytest.CaptureFixture[str]
) -> None:
    token = {"access_token": "t", "token_type": "Bearer", "issued_token_type": "x"}
    answers = itertools.chain([JSONResponse(token)], itertools.repeat(JSONResponse({}, 429)))
    server(lambda _: next(answers))


def test_a_run_in_which_nothing_can_be_tried_is_no_pass(
    refused: Callable[..., str], environment: dict[str, str]
) -> None:
    text = TARGET_FILE.read_text()
    refused(text[: text.index("[minting]")], "--only", "RS-49")


def test_a_minting_program_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program("minting.command", ("sleep", "1000"), {"PATH": os.environ["PATH"]})
    assert program.ask("{}", seconds=0.1) == ""
    assert program.close() != 0
