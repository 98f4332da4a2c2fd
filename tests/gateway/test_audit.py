"""The gateway's chain is signed by the authorization server, and audited at the gateway's command line."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import httpx2
import pytest

import auth_server.app
import auth_server.settings
from gateway.__main__ import main
from gateway.app import create_app
from gateway.settings import Settings
from tests.free_ports import free_ports
from tests.gateway.conftest import bearer, gateway_with
from tests.gateway.recording import RecordingResource
from tests.gateway.test_records import database_of, read, stored, transfer, until
from tests.issuer import CUSTOMER, TestIssuer
from tests.serving import serve


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"data_dir": tmp_path / "gateway"})


@pytest.fixture
def audit(own: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `python -m gateway audit …`: gives exit status, standard output and standard error."""

    def run(*words: str, **environment: str) -> tuple[int, str, str]:
        with monkeypatch.context() as only:
            for name in os.environ:
                only.delenv(name)
            own_settings = {"DATA_DIR": str(own.data_dir), "JWKS_URI": own.jwks_uri}
            for name, value in (own_settings | environment).items():
                only.setenv(name, value)
            capsys.readouterr()
            status = main(["audit", *words])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def said(out: str) -> dict[str, Any]:
    """Return the JSON among the lines of the services that run in this process."""
    value: dict[str, Any]
    value, _ = json.JSONDecoder().raw_decode(out[out.index("{\n") :])
    return value


def test_the_chain_is_signed_by_the_auth_server_and_verified_with_its_keys(
    own: Settings, issuer: TestIssuer, audit: Any, tmp_path: Path
) -> None:
    auth_port, gateway_port = free_ports(2)
    address = f"http://127.0.0.1:{auth_port}"
    server = auth_server.app.create_app(
        auth_server.settings.Settings(
            issuer=address,
            data_dir=tmp_path / "auth_server",
            demo_password="",
            gateway_jwks_uri=f"http://127.0.0.1:{gateway_port}/jwks.json",
        )
    )
    signed = own.model_copy(
        update={
            "issuer": address,
            "token_endpoint": f"{address}/token",
            "checkpoints_endpoint": f"{address}/checkpoints",
            "checkpoint_records": 1,
        }
    )
    with serve(server, auth_port), serve(create_app(signed), gateway_port) as url:
        with httpx2.Client(base_url=url) as client:
            assert client.get("/accounts").status_code == 401
        keys = ("--jwks", f"{address}/checkpoint-keys")
        until(lambda: said(audit("verify", "--json", *keys)[1])["signed_position"] == 1)
        until(lambda: audit("verify", *keys)[0] == 0)
        prune = audit(
            *("prune", "--older-than", "0"),
            ISSUER=address,
            TOKEN_ENDPOINT=signed.token_endpoint,
            CHECKPOINTS_ENDPOINT=signed.checkpoints_endpoint,
        )
        assert prune[:1] == (0,)
        assert "removed up to position 1" in prune[1]
        status, out, _ = audit("verify", "--json", *keys)
        found = said(out)
        assert (status, found["cut"], found["fault"]) == (0, 1, None)
        assert found["signed_position"] >= 1
        # The issuer of the tests' tokens has other keys: with them no signature can be verified.
        status, _, err = audit("verify")
        assert status == 2
        assert "no signature could be verified" in err
    status, _, err = audit("verify", *keys)
    assert (status, "no JWK set can be had" in err) == (2, True)


def test_what_was_changed_is_named_and_the_exit_status_says_so(
    own: Settings, resource: RecordingResource, issuer: TestIssuer, audit: Any
) -> None:
    status, _, err = audit("verify")
    assert (status, "there is no" in err) == (2, True)
    with gateway_with(own) as client:
        for _ in range(3):
            transfer(client, issuer)
    assert audit("verify")[0] == 0
    with database_of(own) as engine, engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM record WHERE position = 2")
    status, out, _ = audit("verify")
    assert (status, "NOT INTACT: removed: position 2" in out) == (1, True)


def test_records_are_listed_and_exported_at_the_command_line(
    own: Settings, resource: RecordingResource, issuer: TestIssuer, audit: Any
) -> None:
    with gateway_with(own) as client:
        transfer(client, issuer)
        transfer(client, issuer, sub="=cmd()")
        read(client, issuer)
        client.get("/accounts", headers=bearer("x"))
    rows = stored(own)
    _, out, _ = audit("list")
    assert len(out.splitlines()) == 4
    _, out, _ = audit("list", "--customer", CUSTOMER, "--operation", "account.transfer", "--format", "json")
    [row] = json.loads(out)
    assert row["decision_id"] == rows[0]["decision_id"]
    _, out, _ = audit("list", "--decision", "deny", "--format", "jsonl")
    assert [json.loads(line)["operation"] for line in out.splitlines()] == ["unknown"]
    _, out, _ = audit("list", "--after", "1", "--limit", "1", "--format", "csv")
    [cells] = csv.DictReader(io.StringIO(out))
    assert (cells["position"], cells["sub"]) == ("2", "'=cmd()")
    for words in (
        ["--limit", "0"],
        ["--after", str(2**63)],
        ["--after", "-1"],
        ["--from", "yesterday"],
        ["--format", "pdf"],
    ):
        with pytest.raises(SystemExit) as error:
            audit("list", *words)
        assert error.value.code == 2
