"""Shows what `/mcp` does when keys or records cannot be had, and when a token ends on the way."""

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, event, text

from tests.account_api.banks import open_bank, sqlite_url, transfer_order
from tests.account_api.mcp_calls import (
    REVISIONS,
    call_tool,
    header_fields,
    message,
    post,
    problem_of,
    refusal_of,
    result_of,
)
from tests.issuer import TestIssuer


def test_without_the_issuers_keys_nothing_is_allowed(tmp_path: Path) -> None:
    issuer = TestIssuer()
    issuer.jwks_uri = "http://127.0.0.1:9/jwks"  # nothing listens at the discard port
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        answer = post(bank, message("tools/list"), issuer.app_token())
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert refusal_of(answer)["data"]["kind"] == "temporarily-unavailable"


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_cannot_be_recorded_is_not_done(tmp_path: Path, issuer: TestIssuer, revision: str) -> None:
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        token = issuer.delegation_token("account:transfer")
        arguments = transfer_order() | {"idempotency_key": "unrecorded"}
        before = bank.balance("4001-01")
        with bank.ledger.engine.begin() as db:
            db.execute(text("ALTER TABLE record RENAME TO lost"))
        assert problem_of(call_tool(bank, "transfer", arguments, token, revision))["status"] == 503
        assert post(bank, message("tools/list", revision=revision), token, revision).status_code == 503
        with bank.ledger.engine.begin() as db:
            db.execute(text("ALTER TABLE lost RENAME TO record"))
        assert bank.balance("4001-01") == before
        result_of(call_tool(bank, "transfer", arguments, token, revision))
        assert bank.balance("4001-01") == before - 100


def test_a_transfer_whose_message_comes_after_the_tokens_end_is_not_booked(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        before = sum(bank.ledger.booked().values())
        call = {"name": "transfer", "arguments": transfer_order() | {"idempotency_key": "slow"}}
        body = json.dumps(message("tools/call", call)).encode()
        parts = urlsplit(bank.url)
        fields = header_fields(message("tools/call", call)) | {
            "Host": parts.netloc,
            "Authorization": f"Bearer {issuer.delegation_token('account:transfer')}",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        head = ["POST /mcp HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode() + body[:3])
            assert bank.http.get("/healthz").status_code == 200
            bank.clock.forward(seconds=301)
            connection.sendall(body[3:])
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"The token has expired." in answer
        assert sum(bank.ledger.booked().values()) == before


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_token_that_ends_while_the_transfer_is_booked_is_a_401_and_nothing_is_booked(
    tmp_path: Path, issuer: TestIssuer, revision: str
) -> None:
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        before = sum(bank.ledger.booked().values())
        token = issuer.delegation_token("account:transfer")

        def time_passes(*_arguments: Any) -> None:
            bank.clock.forward(seconds=301)

        # The service's own connection is begun after the token was verified.
        event.listen(Engine, "begin", time_passes)
        arguments = transfer_order() | {"idempotency_key": "late"}
        try:
            answer = call_tool(bank, "transfer", arguments, token, revision)
        finally:
            event.remove(Engine, "begin", time_passes)
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert 'scope="account:transfer"' in answer.headers["WWW-Authenticate"]
        assert refusal_of(answer)["data"]["required_scopes"] == ["account:transfer"]
        assert refusal_of(answer)["message"] == "The token has expired."
        assert sum(bank.ledger.booked().values()) == before
        [record] = bank.ledger.records()
        assert (record.decision, record.operation) == ("deny", "account.transfer")
