"""Twins that take repeated parameters, or whose answers a cache may keep (RFC 6749 §3.2, §5.1)."""

from contextlib import AbstractContextManager
from typing import Final

from tests.e2e.in_process import InProcess
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.token_exchange import answered, asked
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict

_OF_THE_EXCHANGE: Final = frozenset(
    {"grant_type", "subject_token", "subject_token_type", "actor_token", "actor_token_type", "scope"}
)


@twin("AS-39", "takes the first of parameters that stand twice")
def takes_the_first(stack: InProcess) -> AbstractContextManager[None]:
    """Leave the others out."""
    return asked(stack, lambda request: _once(request, _OF_THE_EXCHANGE))


@twin("AS-39", "takes scope as often as it stands")
def takes_scope_twice(stack: InProcess) -> AbstractContextManager[None]:
    """Count all parameters but this one."""
    return asked(stack, lambda request: _once(request, frozenset({"scope"})))


@twin("AS-39", "calls a repeated parameter invalid_scope", verdict=Verdict.WRONG_CODE)
def calls_a_repeated_parameter_an_invalid_scope(stack: InProcess) -> AbstractContextManager[None]:
    """Answer as if what stands twice were wrong by itself."""

    def change(request: Request, answer: Response) -> Response | None:
        scopes = [value for name, value in request.fields if name == "scope"]
        return answer.with_json(error="invalid_scope") if len(scopes) > 1 else None

    return answered(stack, change)


def _once(request: Request, names: frozenset[str]) -> Request:
    first = {name: value for name, value in request.form.items() if name in names}
    kept = [(name, value) for name, value in request.fields if name not in names]
    return request.with_fields([*kept, *first.items()])


def _lets_caches_keep(grant_type: str, name: str) -> None:
    """Register the twin that answers this grant without no-store."""

    def lets_caches_keep_it(stack: InProcess) -> AbstractContextManager[None]:
        """Leave Cache-Control out."""

        async def handle(request: Request, forward: Forward) -> Response:
            answer = await forward(request)
            is_it = request.path == "/token" and request.form.get("grant_type", "").endswith(grant_type)
            return answer.with_headers(cache_control=None) if is_it else answer

        return stack.auth_server.inside(layer(handle))

    lets_caches_keep_it.__name__ = f"lets_caches_keep_{name}"
    twin("AS-40", f"says nothing to caches in its answers to {grant_type}")(lets_caches_keep_it)


_lets_caches_keep("token-exchange", "delegation_tokens")
_lets_caches_keep("client_credentials", "actor_tokens")
_lets_caches_keep("authorization_code", "first_tokens")
_lets_caches_keep("refresh_token", "later_tokens")


@twin("AS-40", "lets caches keep answers, if they ask before they use them")
def says_no_cache(stack: InProcess) -> AbstractContextManager[None]:
    """Say no-cache, which is no no-store."""
    return answered(stack, lambda _request, answer: answer.with_headers(cache_control="no-cache"))
