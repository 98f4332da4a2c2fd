"""Twins that take may_act and act for less than they are (RFC 8693 §4.1, §4.4)."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from auth_server.delegation_rules import ExchangeRequest
from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.twins.layer import Request
from tests.e2e.twins.lenient import issued_anyway, read_otherwise, subject_claims, unchecked
from tests.e2e.twins.twin import twin


@twin("TX-17", "does not look at whom may_act names")
def ignores_whom_may_act_names(_stack: InProcess) -> AbstractContextManager[object]:
    """Be content with a subject token for this agent."""

    def names_another(request: ExchangeRequest) -> bool:
        subject = request.subject
        return subject.audience == (request.agent,) and subject.may_act not in {None, request.agent}

    return unchecked("check_subject_token", names_another)


@twin("TX-17", "looks at how may_act begins")
def compares_how_may_act_begins(_stack: InProcess) -> AbstractContextManager[object]:
    """Take whoever's identifier begins with the agent's for the agent."""

    def begins_alike(request: ExchangeRequest) -> bool:
        named = request.subject.may_act or ""
        return named != request.agent and named.startswith(request.agent)

    return unchecked("check_subject_token", begins_alike)


@twin("TX-17", "impersonates the customer when may_act names another")
def impersonates_where_it_may_not_delegate(stack: InProcess) -> AbstractContextManager[None]:
    """Issue a token without act in the place of a refusal."""

    def names_another(request: Request) -> bool:
        claims = subject_claims(request)
        may_act = claims.get("may_act")
        named = may_act.get("sub") if isinstance(may_act, dict) else None
        is_text = isinstance(named, str) and named not in {"", AGENT}
        return claims.get("aud") == AGENT and is_text and "actor_token" in request.form

    return issued_anyway(stack, names_another, act=None)


@twin("TX-18", "takes a malformed may_act for none, and none for everyone")
def takes_a_malformed_may_act_for_none(_stack: InProcess) -> AbstractContextManager[object]:
    """Read the agent in its place."""
    return read_otherwise(
        lambda claims: {"may_act": {"sub": AGENT}} if _is_malformed(claims, "may_act") else {}
    )


@twin("TX-18", "reads a may_act that is a string as a sub")
def reads_a_string_as_may_act(_stack: InProcess) -> AbstractContextManager[object]:
    """Accept the short form that nobody has defined."""
    return read_otherwise(
        lambda claims: {"may_act": {"sub": AGENT}} if claims.get("may_act") == AGENT else {}
    )


@twin("TX-18", "takes a malformed act for none")
def takes_a_malformed_act_for_none(_stack: InProcess) -> AbstractContextManager[object]:
    """Forget it."""
    return read_otherwise(lambda claims: {"act": None} if _is_malformed(claims, "act") else {})


@twin("TX-18", "takes a malformed act for none where it is nested")
def takes_a_malformed_nested_act_for_none(_stack: InProcess) -> AbstractContextManager[object]:
    """Forget the prior actor."""

    def outermost(claims: Mapping[str, Any]) -> dict[str, Any]:
        act = claims.get("act")
        nested = isinstance(act, dict) and isinstance(act.get("act"), str)
        return {"act": {"sub": act["sub"]}} if isinstance(act, dict) and nested else {}

    return read_otherwise(outermost)


@twin("TX-19", "lets may_act stand for the actor token: the client that it names needs none")
def lets_may_act_stand_for_the_actor(stack: InProcess) -> AbstractContextManager[None]:
    """Impersonate if no actor token was sent."""
    return issued_anyway(
        stack, lambda request: _no_actor(request) and "may_act" in subject_claims(request), act=None
    )


@twin("TX-19", "forgets the chain when no actor token is sent")
def forgets_the_chain_without_an_actor(stack: InProcess) -> AbstractContextManager[None]:
    """Impersonate under a subject token that has only an act."""

    def has_act_alone(request: Request) -> bool:
        claims = subject_claims(request)
        return _no_actor(request) and "act" in claims and "may_act" not in claims

    return issued_anyway(stack, has_act_alone, act=None)


@twin("TX-20", "impersonates when the subject token names no actor and none is sent")
def impersonates_when_nobody_acts(stack: InProcess) -> AbstractContextManager[None]:
    """Choose delegation by the presence of a parameter."""
    return issued_anyway(stack, lambda request: _no_actor(request) and _names_nobody(request), act=None)


@twin("TX-20", "takes an empty actor token for the client's own")
def takes_an_empty_actor_token(stack: InProcess) -> AbstractContextManager[None]:
    """Delegate without having seen one."""
    return issued_anyway(stack, lambda request: request.form.get("actor_token") == "")


def _no_actor(request: Request) -> bool:
    return not {"actor_token", "actor_token_type"} & request.form.keys()


def _names_nobody(request: Request) -> bool:
    claims = subject_claims(request)
    return bool(claims) and not {"act", "may_act"} & claims.keys()


def _is_malformed(claims: Mapping[str, Any], name: str) -> bool:
    value = claims.get(name)
    sub = value.get("sub") if isinstance(value, dict) else None
    return name in claims and not (isinstance(sub, str) and sub)
