"""Access tokens at the resource, each wrong in one claim or in its type (RFC 9068 §2.2, §4)."""

import time
from typing import Any, Final

from tests.e2e.check import check
from tests.e2e.target import Target

REFUSED: Final = (401, 403)
"""RFC 6750 §3.1 would have 401 for a bad token; that is a SHOULD, and RS-61 judges it."""
_LONG: Final = 24 * 3600
"""Seconds: more than any clock skew that a resource may forgive."""


def send(target: Target, what: str, header: dict[str, Any] | None = None, **claims: Any) -> None:
    """Send a token like a good one with this flaw, and expect that it is refused."""
    resource = target.resource
    answer = resource.call(resource.read, resource.mint(header, **claims))
    target.expect.denied(answer, what, REFUSED)


@check("RS-49")
def only_access_tokens_are_access_tokens(target: Target) -> None:
    """Send tokens that are right but for their typ."""
    for typ in ("JWT", "id+jwt", "client-authentication+jwt", "secevent+jwt", None):
        send(target, f"a token of typ {typ}", {"typ": typ})


@check("RS-50")
def claims_are_all_required(target: Target) -> None:
    """Leave out each claim in turn."""
    for name in ("iss", "exp", "aud", "sub", "client_id", "iat", "jti"):
        send(target, f"a token without {name}", None, **{name: None})


@check("RS-51")
def issuer_and_audience_must_be_right(target: Target) -> None:
    """Send tokens of issuers and for audiences that look like the right ones, and tokens without."""
    issuer, audience = target.resource.issuer, target.resource.audience
    for wrong in (f"{issuer}/", f"{issuer}.example.net", issuer.upper(), "https://issuer.example.net", None):
        send(target, f"a token of the issuer {wrong}", None, iss=wrong)
    for other in (f"{audience}.example.net", audience[:-1], "https://other.example.net", None):
        send(target, f"a token for the audience {other}", None, aud=other)
    send(
        target,
        "a token for several audiences, none of them this one",
        None,
        aud=["https://a.example.net", "b"],
    )


@check("RS-59")
def tokens_are_valid_in_their_time_only(target: Target) -> None:
    """Send tokens from yesterday, for tomorrow, and without an end."""
    now = int(time.time())
    send(target, "a token that expired yesterday", None, iat=now - 2 * _LONG, exp=now - _LONG)
    send(target, "a token without exp", None, exp=None)
    send(target, "a token whose exp is no number", None, exp=str(now + _LONG))
    send(target, "a token that is valid from tomorrow on", None, nbf=now + _LONG, exp=now + 2 * _LONG)


@check("RS-87")
def tokens_are_not_from_the_future(target: Target) -> None:
    """Send a token that is issued tomorrow."""
    now = int(time.time())
    send(target, "a token that is issued tomorrow", None, iat=now + _LONG, exp=now + 2 * _LONG)
