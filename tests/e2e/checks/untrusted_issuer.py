"""Tokens of an issuer that is not trusted (RFC 8725 §3.8)."""

from collections.abc import Mapping
from typing import Any, Final

from tests.e2e.check import check
from tests.e2e.checks.minted_tokens import (
    mint_actor_token,
    require_sound_minting,
    takes_minted_actor_tokens,
)
from tests.e2e.jws import KeyPair, claims_of, header_of
from tests.e2e.minting import complete
from tests.e2e.target import Target

OTHER_ISSUER: Final = "https://issuer.example.net"


@check("TX-32")
def only_trusted_issuers_are_believed(target: Target) -> None:
    """Send subject and actor tokens that the suite signed with a key of its own; then minted ones of others.

    The first bear the trusted issuer's name, with an unknown kid, the issuer's own, or none; then another
    issuer's name. The minted ones are signed with the trusted key, and right but for iss: another, one that
    begins with the right one, none. They are sent where the server takes minted tokens of that kind.
    """
    server, expect = target.authorization_server, target.expect
    real = {"subject_token": server.subject_token()}
    if target.file.actor_token:
        real["actor_token"] = server.actor_token()
    for name, token in real.items():
        for what, forged in _forged(target, token).items():
            expect.refused(server.exchange(**{name: forged}), f"a {name} {what}", "invalid_request")
    if not target.lacks("minting"):
        require_sound_minting(target)
        for what, issuer in _other_issuers(server.issuer).items():
            answer = server.exchange(subject_token=server.mint_subject_token(iss=issuer))
            expect.refused(answer, f"a subject_token {what}", "invalid_request")
    if takes_minted_actor_tokens(target):
        for what, issuer in _other_issuers(server.issuer).items():
            answer = server.exchange(actor_token=mint_actor_token(target, iss=issuer))
            expect.refused(answer, f"an actor_token {what}", "invalid_request")


def _forged(target: Target, token: str) -> dict[str, str]:
    key, agent = KeyPair(), target.authorization_server.agent.client_id
    issuer = target.authorization_server.issuer
    invented: Mapping[str, Any] = {"iss": issuer, "sub": agent, "aud": issuer, "client_id": agent}
    claims = claims_of(token) or complete(invented)
    typ = header_of(token).get("typ", "at+jwt")
    kid = header_of(token).get("kid")
    forged = {
        "in the issuer's name, by an unknown key": key.sign({"typ": typ}, claims),
        "in the issuer's name, by an unnamed key": key.sign({"typ": typ, "kid": None}, claims),
        "in another issuer's name": key.sign({"typ": typ}, claims | {"iss": OTHER_ISSUER}),
    }
    if kid:
        borrowed = {"typ": typ, "kid": kid}
        forged["in the issuer's name, under its kid, by another key"] = key.sign(borrowed, claims)
    return forged


def _other_issuers(issuer: str) -> dict[str, str | None]:
    return {
        "of another issuer": OTHER_ISSUER,
        "of an issuer that begins like the right one": f"{issuer}.example.net",
        "without an issuer": None,
    }
