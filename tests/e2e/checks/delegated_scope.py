"""How much scope an exchange yields: what subject, agent and request have in common (RFC 6749 §3.3)."""

from typing import Any, Final

from tests.e2e.authorization_server import issued
from tests.e2e.check import check
from tests.e2e.checks.minted_tokens import require_sound_minting
from tests.e2e.jws import claims_of
from tests.e2e.target import Target
from tests.e2e.wire import Answer

_NOBODYS_SCOPE: Final = "conformance:scope_of_nobody"


@check("TX-26")
def scope_is_what_all_have_in_common(target: Target) -> None:
    """Ask for scopes that are not to be had: nobody's, one withheld, one that a narrower subject token lacks.

    Each is asked for alone, which is invalid_scope, and beside one that is to be had, which may be refused or
    narrowed. The narrower subject token comes from where the ordinary one does, or is minted.
    """
    server = target.authorization_server
    section, ordinary = server.exchange_section, server.subject_token()
    _not_had(target, ordinary, _NOBODYS_SCOPE)
    if section.withheld_scope:
        _not_had(target, ordinary, section.withheld_scope)
    if section.scope and section.second_scope and (narrow := _narrow_subject_token(target)):
        _not_had(target, narrow, section.second_scope)


def _not_had(target: Target, subject_token: str, unavailable: str) -> None:
    server, expect = target.authorization_server, target.expect
    answer = server.exchange(subject_token=subject_token, scope=unavailable)
    what = f"an exchange for scope {unavailable}, which is not to be had,"
    expect.refused(answer, what, "invalid_scope")
    available = server.exchange_section.scope
    if not available:
        return
    requested = f"{available} {unavailable}"
    answer = server.exchange(subject_token=subject_token, scope=requested)
    what = f"an exchange for scope {requested}"
    if not answer.is_success:
        expect.refused(answer, f"{what}, if anything,", "invalid_scope")
        return
    held = held_scope(target, answer, requested)
    more = held - set(available.split())
    expect.that(what, f"to yield no more than {available}", " ".join(sorted(held)), holds=not more)


def _narrow_subject_token(target: Target) -> str:
    """Return a subject token with the exchange's scope and not the second; empty if none is to be had."""
    server = target.authorization_server
    section, subject = server.exchange_section, target.file.subject_token
    assert subject
    token = server.subject_token(section.scope)
    second = set(section.second_scope.split())
    claims = claims_of(token)
    if subject.source in {"sign_on", "client_credentials", "mint"} and not (_scopes(claims) & second):
        return token
    if target.lacks("minting"):
        return ""
    require_sound_minting(target)
    return server.mint_subject_token(scope=section.scope)


def held_scope(target: Target, answer: Answer, requested: str) -> set[str]:
    """Return the scope that a successful exchange yields.

    It is what the token says; where it says nothing, what introspection says, then the answer; where none of
    them does, it is the requested one (RFC 6749 §5.1).
    """
    token = issued(answer, "an accepted exchange")
    found = [claims_of(token)]
    if "scope" not in found[0] and "introspection" not in target.file.not_offered:
        found.append(target.authorization_server.introspect(token).json())
    said = [one for one in (*found, answer.json()) if one.get("scope") is not None]
    return _scopes(said[0]) if said else set(requested.split())


def _scopes(holder: dict[str, Any]) -> set[str]:
    scope = holder.get("scope") or ""
    return set(map(str, scope)) if isinstance(scope, list) else set(str(scope).split())
