"""How an exchange is refused (RFC 8693 §2.2.2)."""

import json
import time
from typing import Any, Final

from tests.e2e.authorization_server import AuthorizationServer
from tests.e2e.check import check
from tests.e2e.jws import b64, claims_of
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun

UNKNOWN_TARGET: Final = "https://unknown-resource.example.net"
_AN_HOUR: Final = 3600
_FROM_THE_END: Final = 20
"""Where a token is changed: within the signature of a JWT, away from the padding of its last character."""


@check("TX-06")
def tokens_that_are_not_good_are_invalid_requests(target: Target) -> None:
    """Send subject and actor tokens that are garbage, changed, signed for another token, or expired.

    An expired subject token is sent only where the suite mints them, an expired actor token only where the
    server takes a minted one too; the client's secret only where the agent has one. A server that takes no
    actor tokens is tried with subject tokens alone.
    """
    server, expect = target.authorization_server, target.expect
    names = ["subject_token", *(["actor_token"] if target.file.actor_token else [])]
    for name in names:
        for what, token in _bad_tokens(server, name).items():
            expect.refused(server.exchange(**{name: token}), f"a {name} that is {what}", "invalid_request")
    if not target.lacks("minting"):
        _expired(target, names)


def _bad_tokens(server: AuthorizationServer, name: str) -> dict[str, str]:
    token, another = server.subject_token(), server.delegation_token()
    if name == "actor_token":
        token = server.actor_token()
    bad = {"garbage": "garbage", "one changed character away": _changed(token)}
    if server.agent.secret:
        bad["the client's secret"] = server.agent.secret
    claims = claims_of(token)
    if claims:
        header, payload, signature = token.split(".")
        borrowed = claims_of(another) and another.split(".")[2]
        if borrowed:
            bad["signed with the signature of another token"] = f"{header}.{payload}.{borrowed}"
        changed = b64(json.dumps(claims | {"jti": "changed"}).encode())
        bad["changed after it was signed"] = f"{header}.{changed}.{signature}"
    return bad


def _changed(token: str) -> str:
    at = max(0, len(token) - _FROM_THE_END)
    return f"{token[:at]}{'A' if token[at] != 'A' else 'B'}{token[at + 1 :]}"


def _expired(target: Target, names: list[str]) -> None:
    server, now = target.authorization_server, int(time.time())
    agent = server.agent.client_id
    past = {"iat": now - 2 * _AN_HOUR, "exp": now - _AN_HOUR}
    own: dict[str, Any] = {"sub": agent, "client_id": agent, "aud": server.issuer, "may_act": None}
    claims: dict[str, dict[str, Any]] = {"subject_token": {}, "actor_token": own}
    for name in names:
        good, expired = (server.mint_subject_token(**claims[name] | times) for times in ({}, past))
        if server.exchange(**{name: good}).is_success:
            answer = server.exchange(**{name: expired})
            target.expect.refused(answer, f"an expired {name}", "invalid_request")
        elif name == "subject_token":
            raise NotRun("It takes subject tokens that this server accepts: it refuses what [minting] made.")


@check("TX-07")
def a_target_that_nobody_serves_is_an_invalid_target(target: Target) -> None:
    """Name a target that is well formed and that the server cannot know."""
    server = target.authorization_server
    answer = server.exchange(**{server.exchange_section.target_parameter: UNKNOWN_TARGET})
    target.expect.refused(answer, f"the target {UNKNOWN_TARGET}", "invalid_target")
