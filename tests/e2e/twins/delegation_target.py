"""Twins that issue for targets they should not, or for two, or serve a delegation token themselves."""

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import auth_server.own_interfaces
from auth_server.context import Context
from auth_server.own_interfaces import check_own_token
from delegation.scope import Scope
from delegation.token import AccessToken, DelegationToken
from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.twins.layer import Request
from tests.e2e.twins.lenient import RESOURCE, issued_anyway
from tests.e2e.twins.token_exchange import asked, reissued
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict


def _named(request: Request, parameter: str) -> list[str]:
    return [value for name, value in request.fields if name == parameter]


@twin("TX-28", "issues for any target", also={"TX-07": Verdict.FAIL})
def issues_for_any_target(stack: InProcess) -> AbstractContextManager[None]:
    """Have no list of them."""

    def is_well_formed(request: Request) -> bool:
        resources = _named(request, "resource")
        if len(resources) != 1:
            return False
        return resources != [RESOURCE] and resources[0].startswith("https://") and "#" not in resources[0]

    return issued_anyway(stack, is_well_formed)


@twin("TX-28", "issues for any target that audience names")
def issues_for_any_audience(stack: InProcess) -> AbstractContextManager[None]:
    """Check resource alone."""
    return issued_anyway(
        stack, lambda request: len(_named(request, "audience")) == 1 and not _named(request, "resource")
    )


@twin("TX-28", "does not look at audience when there is a resource")
def overlooks_audience_beside_resource(stack: InProcess) -> AbstractContextManager[None]:
    """Issue for the resource."""
    return asked(stack, lambda r: r.with_form(audience=None) if _named(r, "resource") == [RESOURCE] else None)


@twin("TX-28", "issues for itself")
def issues_for_itself(stack: InProcess) -> AbstractContextManager[None]:
    """Hold the server for one of its own resources."""
    issuer = stack.context.settings.issuer
    return issued_anyway(stack, lambda request: _named(request, "resource") == [issuer])


@twin("TX-28", "issues for the agent itself")
def issues_for_the_agent(stack: InProcess) -> AbstractContextManager[None]:
    """Hold every client for a resource."""
    return issued_anyway(
        stack, lambda r: {*_named(r, "resource"), *_named(r, "audience")} == {AGENT}, aud=AGENT
    )


@twin("TX-29", "adds the agent to the audiences")
def adds_the_agent_to_the_audiences(stack: InProcess) -> AbstractContextManager[None]:
    """Write a list."""
    return reissued(stack, lambda _request, claims: {"aud": [claims["aud"], AGENT]} if claims else {})


def _for_two(stack: InProcess, *parameters: str) -> AbstractContextManager[None]:
    """Issue for the resource and the server when two targets are named in these parameters."""
    two: dict[str, Any] = {"aud": [RESOURCE, stack.context.settings.issuer]}
    return issued_anyway(
        stack,
        lambda r: sorted(name for name, _ in r.fields if name in {"resource", "audience"}) == [*parameters],
        **two,
    )


@twin("TX-29", "issues for both when resource stands twice")
def issues_for_two_resources(stack: InProcess) -> AbstractContextManager[None]:
    """Write a list."""
    return _for_two(stack, "resource", "resource")


@twin("TX-29", "issues for both when audience stands twice")
def issues_for_two_audiences(stack: InProcess) -> AbstractContextManager[None]:
    """Write a list."""
    return _for_two(stack, "audience", "audience")


@twin("TX-29", "issues for resource and for audience", also={"TX-28": Verdict.FAIL})
def issues_for_resource_and_audience(stack: InProcess) -> AbstractContextManager[None]:
    """Write a list."""
    return _for_two(stack, "audience", "resource")


@twin("TX-36", "opens its own interfaces to any token that it issued")
def serves_delegation_tokens(_stack: InProcess) -> AbstractContextManager[object]:
    """Look at neither audience nor scope of a delegation token."""
    return _opening(lambda _token: True)


@twin("TX-36", "does not look at act at its own interfaces")
def serves_actors(_stack: InProcess) -> AbstractContextManager[object]:
    """Be content with its own audience."""
    return _opening(lambda token: RESOURCE not in token.audience)


def _opening(when: Any) -> AbstractContextManager[object]:
    def check(token: AccessToken, context: Context, scope: Scope) -> None:
        if not (isinstance(token, DelegationToken) and when(token)):
            check_own_token(token, context, scope)

    return patch.object(auth_server.own_interfaces, "check_own_token", check)
