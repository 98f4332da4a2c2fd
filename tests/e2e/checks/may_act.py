"""What may_act and act of the subject token forbid (RFC 8693 §4.1, §4.4)."""

from typing import Any

from tests.e2e.authorization_server import OTHER_AGENT
from tests.e2e.check import check
from tests.e2e.checks.impersonation import not_impersonated
from tests.e2e.checks.minted_tokens import require_sound_minting
from tests.e2e.jws import claims_of
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun


@check("TX-17")
def may_act_names_the_agent(target: Target) -> None:
    """Exchange subject tokens, right but for may_act, which names another: a stranger, or a namesake.

    The actor token is sent along. Whether a token without act comes of leaving it out is another rule's.
    """
    server = target.authorization_server
    require_sound_minting(target)
    for other in (OTHER_AGENT, f"{server.agent.client_id}.example.net"):
        token = server.mint_subject_token(may_act={"sub": other})
        answer = server.exchange(subject_token=token)
        target.expect.refused(answer, f"a subject token whose may_act names {other}", "invalid_request")


@check("TX-18")
def act_and_may_act_are_well_formed(target: Target) -> None:
    """Exchange subject tokens, right but for the form of may_act or of act, which name the right party.

    A null is left untried.
    """
    server = target.authorization_server
    require_sound_minting(target)
    malformed = {
        "may_act": _malformed(server.agent.client_id),
        "act": _malformed(OTHER_AGENT) | {"with a nested act that is a string": _nested(OTHER_AGENT)},
    }
    for claim, forms in malformed.items():
        for what, value in forms.items():
            answer = server.exchange(subject_token=server.mint_subject_token(**{claim: value}))
            target.expect.refused(answer, f"a subject token with {claim} {what}", "invalid_request")


def _malformed(sub: str) -> dict[str, Any]:
    return {
        "that is a string": sub,
        "that is a list": [{"sub": sub}],
        "that is true": True,
        "without any member": {},
        "whose sub is a list": {"sub": [sub]},
        "whose sub is an object": {"sub": {"sub": sub}},
        "whose sub is a number": {"sub": 7},
        "whose sub is empty": {"sub": ""},
    }


def _nested(sub: str) -> dict[str, Any]:
    return {"sub": sub, "act": sub}


@check("TX-19")
def no_downgrade_to_impersonation(target: Target) -> None:
    """Leave the actor token out, with a subject token that carries may_act, then with one that carries act.

    The first is the ordinary subject token if that carries one of them; the others are minted.
    """
    server = target.authorization_server
    token, minted = server.subject_token(), not target.lacks("minting")
    carried = _actor_claims(token)
    if not carried and not minted:
        raise NotRun(
            "It takes a subject token with may_act or act: [minting] with subject_tokens = true; a server "
            "that knows neither says so: not_offered.may_act."
        )
    if carried:
        _without_actor_token(target, token, f"{' and '.join(carried)} of the ordinary subject token")
    if minted:
        require_sound_minting(target)
        _without_actor_token(target, server.mint_subject_token(), "may_act of the subject token")
        with_act = server.mint_subject_token(may_act=None, act={"sub": OTHER_AGENT})
        _without_actor_token(target, with_act, "act of the subject token")


def _without_actor_token(target: Target, subject_token: str, despite: str) -> None:
    form = {"subject_token": subject_token, "actor_token": None, "actor_token_type": None}
    answer = target.authorization_server.exchange(**form)
    not_impersonated(target, answer, f"an exchange without an actor token, in spite of {despite},")


@check("TX-20")
def no_exchange_without_an_actor_token(target: Target) -> None:
    """Leave the actor token out, then send it empty, with a subject token that has neither act nor may_act.

    It is the ordinary subject token if that has neither, else a minted one.
    """
    server = target.authorization_server
    token = server.subject_token()
    if _actor_claims(token) or not (claims_of(token) or "may_act" in target.file.not_offered):
        if target.lacks("minting"):
            raise NotRun("It takes a subject token without may_act: [minting] with subject_tokens = true.")
        require_sound_minting(target)
        token = server.mint_subject_token(may_act=None)
    answer = server.exchange(subject_token=token, actor_token=None, actor_token_type=None)
    not_impersonated(target, answer, "an exchange without an actor token")
    if target.file.actor_token:
        answer = server.exchange(subject_token=token, actor_token="")
        target.expect.refused(answer, "an exchange with an empty actor token", "invalid_request")


def _actor_claims(token: str) -> list[str]:
    return [name for name in ("may_act", "act") if name in claims_of(token)]
