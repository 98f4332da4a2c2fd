"""When a delegation token ends (RFC 9700 §4.10)."""

import time
from typing import Any, Final

from tests.e2e.authorization_server import issued
from tests.e2e.check import check
from tests.e2e.checks.minted_tokens import (
    mint_actor_token,
    require_sound_minting,
    takes_minted_actor_tokens,
)
from tests.e2e.jws import claims_of
from tests.e2e.target import Target
from tests.e2e.verdict import Failed

_SOON_SECONDS: Final = 60
_LATE_SECONDS: Final = 3600
_CLOCKS_APART_SECONDS: Final = 5


@check("TX-30")
def a_delegation_token_ends_with_what_it_came_of(target: Target) -> None:
    """Compare exp with that of both tokens and with the maximum; then with tokens that end soon, or late.

    Those are minted, the actor token where the server takes one: ends in a minute, and ends in an hour. The
    ordinary tokens are compared where they are JWTs. Two clocks may be 5 seconds apart; expiries are compared
    exactly, since all are the server's.
    """
    server = target.authorization_server
    inputs = {"subject_token": server.subject_token()}
    if target.file.actor_token:
        inputs["actor_token"] = server.actor_token()
    _ends_in_time(target, **inputs)
    if target.lacks("minting"):
        return
    require_sound_minting(target)
    soon, late = (int(time.time()) + seconds for seconds in (_SOON_SECONDS, _LATE_SECONDS))
    _ends_in_time(target, subject_token=server.mint_subject_token(exp=soon))
    long_lived = {"subject_token": server.mint_subject_token(exp=late)}
    if takes_minted_actor_tokens(target):
        _ends_in_time(target, actor_token=mint_actor_token(target, exp=soon))
        long_lived["actor_token"] = mint_actor_token(target, exp=late)
    _ends_in_time(target, **long_lived)


def _ends_in_time(target: Target, **tokens: str) -> None:
    server = target.authorization_server
    most = server.exchange_section.most_seconds
    latest = time.time() + most + _CLOCKS_APART_SECONDS
    claims = claims_of(issued(server.exchange(**tokens), "a legitimate exchange"))
    exp, iat = _time(claims, "exp"), _time(claims, "iat")
    if exp is None:
        raise Failed("exp of a delegation token to be a number", str(claims.get("exp", "no exp")))
    for name, token in tokens.items():
        bound = _time(claims_of(token), "exp")
        if bound is not None:
            beyond = f"{exp - bound:g} s later"
            target.expect.that("a delegation token", f"to end with its {name}", beyond, holds=exp <= bound)
    life = exp - (iat if iat is not None else exp - most)
    shown = f"{life:g} s after iat, {exp - time.time():.0f} s from now"
    holds = life <= most and exp <= latest
    target.expect.that("a delegation token", f"to end after {most} s at most", shown, holds=holds)


def _time(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
