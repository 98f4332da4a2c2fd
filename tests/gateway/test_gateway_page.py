"""docs/gateway.md is true: each example on the page is run."""

import json
import re
import shlex
import subprocess
import textwrap
from contextlib import chdir
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest
import uvicorn
from starlette.types import Receive, Send

from delegation.http_protocol import HttpProtocol
from gateway.__main__ import main
from gateway.app import create_app
from gateway.settings import Settings
from tests.clock import SetClock
from tests.envoy import PROGRAM
from tests.gateway.conftest import bearer
from tests.gateway.mcp_resource import headers_of, message
from tests.gateway.recording import Arrived, RecordingResource, read_body
from tests.gateway.recording import answer as respond
from tests.issuer import TestIssuer
from tests.serving import serve

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
BLOCKS = [
    (language, textwrap.dedent(text))
    for language, text in re.findall(r"^ *```(\w+)\n(.*?)^ *```$", PAGE, re.DOTALL | re.MULTILINE)
]
POLICIES = [text for language, text in BLOCKS if language == "yaml" and text.startswith("audience:")]
TABLES = [text for language, text in BLOCKS if language == "yaml" and text.startswith("cases:")]
AMOUNTS, BROKEN, TOOLS_POLICY = POLICIES[1], POLICIES[3], POLICIES[4]
ALONE, SEVERAL, WITH_ENVOY = [text for language, text in BLOCKS if language == "sh"]
RECORD, QUESTION, ANSWER, TOOLS, REFUSAL = [text for language, text in BLOCKS if language == "json"]


def commands() -> list[tuple[list[str], str]]:
    """Return each command on the page with its output."""
    texts = [text for language, text in BLOCKS if language == "console"]
    found = [re.split(r"^\$ python -m gateway ", text, flags=re.MULTILINE)[1:] for text in texts]
    parts = [one.partition("\n") for text in found for one in text]
    return [(command.split(), output) for command, _, output in parts]


def test_no_example_on_the_page_is_left_out() -> None:
    assert len(POLICIES) == 5
    assert len(TABLES) == 4
    assert len(commands()) == 5
    assert len(BLOCKS) == 5 + 4 + 3 + 5 + 3


@pytest.mark.parametrize(("number", "table_number"), [(0, 0), (1, 1), (2, 2), (4, 3)])
def test_each_policy_passes_its_table_and_gives_no_warning(
    number: int, table_number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, table = tmp_path / "policy.yaml", tmp_path / "cases.yaml"
    policy.write_text(POLICIES[number])
    table.write_text(TABLES[table_number])
    assert main(["policy", "check", "--strict", str(policy)]) == 0, capsys.readouterr().err
    assert main(["policy", "test", str(table), "--policy", str(policy)]) == 0, capsys.readouterr().err


def test_each_command_says_what_the_page_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy.yaml").write_text(AMOUNTS)
    (tmp_path / "new.yaml").write_text(AMOUNTS.replace("50000", "60000"))
    (tmp_path / "broken.yaml").write_text(BROKEN)
    (tmp_path / "tools.yaml").write_text(TOOLS_POLICY)
    (tmp_path / "tools.json").write_text(TOOLS)
    changed = TOOLS.replace("Order a payment.", "Order a payment, and a fee of 9.99 to Max.")
    (tmp_path / "changed.json").write_text(changed)
    (tmp_path / "gateway.log").write_text(json.dumps(json.loads(RECORD)) + "\n")
    assert json.loads(RECORD)["policy_version"] == sha256(AMOUNTS.encode()).hexdigest()
    for command, shown in commands():
        with chdir(tmp_path):
            main(command)
        output = capsys.readouterr()
        said = "".join(line.rstrip() + "\n" for line in (output.out + output.err).splitlines())
        assert said == shown, " ".join(command)


def test_the_settings_for_an_api_of_ones_own_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    written = dict(line.split("=", 1) for line in (ALONE + SEVERAL).splitlines())
    for name, value in written.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    told = settings.model_dump() | {"redis_url": settings.redis_url.get_secret_value()}
    assert {name: str(told[name.lower()]) for name in written} == written


def test_envoy_and_the_decision_service_take_what_the_page_starts_them_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, service, envoy = (shlex.split(line) for line in WITH_ENVOY.splitlines())
    (tmp_path / "policy.yaml").write_text(AMOUNTS)
    assert export[:3] == ["python", "-m", "gateway"]
    assert export[-2:] == [">", "envoy.yaml"]
    with chdir(tmp_path):
        assert main(export[3:-2]) == 0
        Path("envoy.yaml").write_text(capsys.readouterr().out)
        validate = [str(PROGRAM), "--mode", "validate", "--use-dynamic-base-id"]
        subprocess.run([*validate, *envoy[1:]], check=True, capture_output=True)
    options = uvicorn.main.make_context("uvicorn", service[1:]).params
    address = export[export.index("--decision-service") + 1]
    assert address == f"http://{options['host']}:{options['port']}"
    config = uvicorn.Config(options["app"], http=options["http"], ws=options["ws"])
    config.load()
    assert config.loaded_app is not None
    assert options["factory"]
    assert config.http_protocol_class is HttpProtocol


def test_the_question_of_another_enforcement_point_is_answered_as_the_page_says(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(AMOUNTS)
    clock = SetClock(datetime.fromtimestamp(1781517660, UTC))
    own_token = {"aud": "https://payments.example.com", "scope": "access:evaluate", "sub": "proxy"}
    token = issuer.mint(iat=1781517600, exp=1781517900, **own_token)  # type: ignore[arg-type]
    own = settings.model_copy(update={"policy_file": policy, "data_dir": tmp_path})
    with serve(create_app(own, clock)) as url:
        answer = httpx2.post(f"{url}/access/v1/evaluation", headers=bearer(token), json=json.loads(QUESTION))
    found = answer.json()
    del found["context"]["decision_id"], found["context"]["policy_version"]
    assert (answer.status_code, found) == (200, json.loads(ANSWER))


def test_a_refusal_over_mcp_reads_as_the_page_says(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    async def lists(request: Arrived, receive: Receive, send: Send) -> None:
        await read_body(request, receive)
        await respond(send, json.dumps({"jsonrpc": "2.0", "id": 1, "result": json.loads(TOOLS)}).encode())

    resource.handler = lists
    policy = tmp_path / "policy.yaml"
    policy.write_text(TOOLS_POLICY)
    agent = "https://agent.example.com"
    token = issuer.mint(aud="https://payments.example.com", scope="payments:write", act={"sub": agent})
    arguments = {"to": "rent", "amount": {"amount_minor": 50_001}}
    call = message("tools/call", {"name": "order_payment", "arguments": arguments}) | {"id": 1}
    own = settings.model_copy(update={"policy_file": policy, "data_dir": tmp_path})
    with serve(create_app(own)) as url:
        found = httpx2.post(f"{url}/mcp", headers=bearer(token) | headers_of(call), json=call).json()
    shown = json.loads(REFUSAL)
    del found["error"]["data"]["decision_id"], shown["error"]["data"]["decision_id"]
    assert found == shown
