"""Twins that serve an operation for a scope that does not cover it (RFC 6749 §7)."""

from contextlib import AbstractContextManager
from typing import Any, Final

from tests.e2e.in_process import InProcess
from tests.e2e.twins.lax_gateway import accepting
from tests.e2e.twins.twin import twin

_RIGHT: Final = "account:read_balance"


def _taking(stack: InProcess, *wrong: str) -> AbstractContextManager[None]:
    """Take these scopes for the right one."""

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        return {"scope": _RIGHT} if claims.get("scope") in wrong else None

    return accepting(stack, flawed)


@twin("RS-91", "looks for the scope as a text within the text")
def searches_the_text_of_scope(stack: InProcess) -> AbstractContextManager[None]:
    """Find the right scope within a longer one."""
    return _taking(stack, f"{_RIGHT}.all", f"x-{_RIGHT}")


@twin("RS-91", "takes any scope that the right one begins with")
def takes_the_beginning_of_a_scope(stack: InProcess) -> AbstractContextManager[None]:
    """Take a shorter scope for a wider one."""
    return _taking(stack, _RIGHT[:-1])


@twin("RS-91", "does not look at the case of letters")
def ignores_the_case_of_scope(stack: InProcess) -> AbstractContextManager[None]:
    """Take capital letters for small ones, which RFC 6749 §3.3 does not."""
    return _taking(stack, _RIGHT.swapcase())


@twin("RS-91", "takes a token without scope for one without limits")
def takes_no_scope_for_every_scope(stack: InProcess) -> AbstractContextManager[None]:
    """Give a token all scopes if it has none."""

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        is_unlimited = "scope" not in claims and claims.get("act", {}).keys() == {"sub"}
        return {"scope": _RIGHT} if is_unlimited and "nonce" not in claims else None

    return accepting(stack, flawed)
