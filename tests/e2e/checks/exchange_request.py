"""The exchange request: its form and its parameters (RFC 8693 §2.1)."""

from tests.e2e.check import check
from tests.e2e.target import Target


@check("TX-02")
def subject_token_and_its_type_are_required(target: Target) -> None:
    """Leave each of the two out."""
    server, expect = target.authorization_server, target.expect
    for name in ("subject_token", "subject_token_type"):
        expect.refused(server.exchange(**{name: None}), f"an exchange without {name}", "invalid_request")
