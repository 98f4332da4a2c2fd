"""A token must be good when something is done under it, not only when the request began."""

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

from tests.account_api.banks import open_bank, sqlite_url, transfer_order
from tests.issuer import TestIssuer


def test_a_transfer_whose_body_comes_after_the_tokens_end_is_not_booked(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        before = sum(bank.ledger.booked().values())
        body = json.dumps(transfer_order()).encode()
        parts = urlsplit(bank.url)
        head = [
            "POST /transfers HTTP/1.1",
            f"Host: {parts.netloc}",
            f"Authorization: Bearer {issuer.delegation_token('account:transfer')}",
            "Idempotency-Key: slow",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode() + body[:3])
            # Another call is answered: by then the head of the first has been read.
            assert bank.http.get("/healthz").status_code == 200
            bank.clock.forward(seconds=301)
            connection.sendall(body[3:])
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"The token has expired." in answer
        assert sum(bank.ledger.booked().values()) == before
        [record] = [one._mapping for one in bank.ledger.records()]
        assert (record["decision"], record["operation"]) == ("deny", "account.transfer")
