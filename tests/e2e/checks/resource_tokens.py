"""Access tokens at the resource, each wrong in one way (RFC 9068 §4, RFC 8725)."""

from tests.e2e.check import check
from tests.e2e.target import Target


@check("RS-49")
def only_access_tokens_are_access_tokens(target: Target) -> None:
    """Send tokens that are right but for their typ."""
    resource, expect = target.resource, target.expect
    for typ in ("JWT", "id+jwt", "client-authentication+jwt", None):
        token = resource.mint({"typ": typ})
        expect.denied(resource.call(resource.read, token), f"a token of typ {typ}", 401, "invalid_token")
