"""Twins that issue more scope than all have in common (RFC 6749 §3.3)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from unittest.mock import patch

from authlib.oauth2.rfc6749 import InvalidScopeError

import auth_server.token_exchange
from auth_server.delegation_rules import ExchangeRequest, delegated_scope
from auth_server.scopes import SUPPORTED
from delegation.scope import Scope
from delegation.token import DelegationToken
from tests.e2e.in_process import InProcess
from tests.e2e.twins.layer import Request, Response
from tests.e2e.twins.lenient import issued_anyway
from tests.e2e.twins.token_exchange import answered
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict


def _instead(rule: Callable[[ExchangeRequest], Scope]) -> AbstractContextManager[object]:
    """Decide by another rule where nobody acted before."""

    def scope(request: ExchangeRequest) -> Scope:
        return (delegated_scope if isinstance(request.subject, DelegationToken) else rule)(request)

    return patch.object(auth_server.token_exchange, "delegated_scope", scope)


@twin(
    "TX-26",
    "bounds the scope by what the customer granted, and not by the subject token",
    also={"LC-77": Verdict.FAIL},
)
def ignores_the_subject_tokens_scope(_stack: InProcess) -> AbstractContextManager[object]:
    """Issue what the grant allows."""

    def granted(request: ExchangeRequest) -> Scope:
        subject = replace(request.subject, scope=request.granted or request.subject.scope)
        return delegated_scope(replace(request, subject=subject))

    return _instead(granted)


@twin("TX-26", "does not notice when a subject token is narrower than others of its customer")
def widens_a_narrow_subject_token(_stack: InProcess) -> AbstractContextManager[object]:
    """Read both reading scopes where one stands."""

    def both(request: ExchangeRequest) -> Scope:
        reading = Scope({"account:read_balance", "account:read_transactions"})
        scope = reading if request.subject.scope & reading else request.subject.scope
        return delegated_scope(replace(request, subject=replace(request.subject, scope=scope)))

    return _instead(both)


@twin("TX-26", "issues all that was asked for if some of it is held")
def issues_what_was_asked_for(_stack: InProcess) -> AbstractContextManager[object]:
    """Check that scopes overlap, and issue the request's."""
    return _instead(lambda request: request.requested if delegated_scope(request) else Scope())


@twin("TX-26", "issues a scope that nobody knows to whoever asks for it")
def issues_unknown_scopes(stack: InProcess) -> AbstractContextManager[None]:
    """Take scopes for text."""

    def is_unknown(request: Request) -> bool:
        scope = Scope(request.form.get("scope", "").split())
        return bool(scope) and not scope & SUPPORTED

    return issued_anyway(stack, is_unknown)


@twin(
    "TX-26",
    "issues the subject token's scope when nothing of the request is held",
    also={"LC-77": Verdict.FAIL},
)
def falls_back_to_the_subject_tokens_scope(_stack: InProcess) -> AbstractContextManager[object]:
    """Answer with what was not asked for."""

    def fallen_back(request: ExchangeRequest) -> Scope:
        try:
            return delegated_scope(request)
        except InvalidScopeError:
            return delegated_scope(replace(request, requested=request.subject.scope))

    return _instead(fallen_back)


@twin("TX-26", "calls a scope that is not held invalid_request", verdict=Verdict.WRONG_CODE)
def calls_a_scope_not_held_an_invalid_request(stack: InProcess) -> AbstractContextManager[None]:
    """Answer like any other fault."""

    def change(_request: Request, answer: Response) -> Response | None:
        wrong = answer.json.get("error_description", "").startswith("nothing of this scope")
        return answer.with_json(error="invalid_request") if wrong else None

    return answered(stack, change)
