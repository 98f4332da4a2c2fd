"""JOSE headers that a resource must not trip over: kid and crit (RFC 7515 §4.1.4, §4.1.11)."""

import secrets
from typing import Any, Final

from tests.e2e.check import check
from tests.e2e.checks.resource_tokens import REFUSED, send
from tests.e2e.target import Target

_UNKNOWN: Final = 30
_MOST_FETCHES: Final = 5
"""How many looks at the keys 30 tokens with unknown kids may cause within the seconds of a check."""
_TOO_LARGE: Final = (400, *REFUSED, 413, 431)


@check("RS-55")
def kid_only_names_a_key(target: Target) -> None:
    """Send many kids that are unknown; then some that are paths, queries, huge or no strings.

    No kid at all is not sent: it is optional (RFC 7515 §4.1.4). The looks at the issuer's keys are counted
    where the suite serves them (`minting.jwks_listen`).
    """
    resource, before = target.resource, target.key_server.fetches if target.key_server else 0
    hostile: tuple[Any, ...] = (
        "../../../../dev/null",
        "/etc/passwd",
        "' OR '1'='1",
        "key\r\nX-Injected: 1",
        "http://127.0.0.1:9/jwks",
        "k" * 4096,
        "",
        7,
        ["k"],
        {"k": "v"},
    )
    for _ in range(_UNKNOWN):
        answer = resource.call(resource.read, resource.mint({"kid": secrets.token_urlsafe(8)}))
        target.expect.denied(answer, "a token of an unknown kid", REFUSED)
    if target.key_server:
        seen = target.key_server.fetches - before
        holds = seen <= _MOST_FETCHES
        target.expect.that(
            "unknown kids", f"to cause {_MOST_FETCHES} looks at the keys at most", seen, holds=holds
        )
    for kid in hostile:
        answer = resource.call(resource.read, resource.mint({"kid": kid}))
        target.expect.denied(answer, f"a token whose kid is {str(kid)[:40]!r}", _TOO_LARGE)


@check("RS-56")
def what_is_critical_must_be_understood(target: Target) -> None:
    """Mark an unknown extension as critical, rightly and wrongly.

    An empty crit is not sent: who writes tokens must not, but who reads them may take it for none.
    """
    extension = "https://example.net/must-be-understood"
    send(target, "a token with an unknown critical header", {"crit": [extension], extension: True})
    send(target, "a token whose critical header is missing", {"crit": [extension]})
    send(target, "a token whose crit is no list", {"crit": extension, extension: True})
