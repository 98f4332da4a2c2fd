"""The scope that an operation needs (RFC 6749 §7)."""

from tests.e2e.check import check
from tests.e2e.checks.resource_tokens import REFUSED, send
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun


@check("RS-91")
def the_scope_must_cover_the_operation(target: Target) -> None:
    """Send a good token to an operation that needs another scope; then tokens with nearly the right one.

    The latter are sent where the suite mints. With which code they are refused, RS-61 judges.
    """
    resource, expect = target.resource, target.expect
    read, other, mints = resource.read, resource.section.other_scope, not target.lacks("resource_minting")
    if other is None and not (mints and read.scope):
        raise NotRun("It takes an operation that needs another scope: [resource.other_scope].")
    if other is not None:
        expect.denied(resource.call(other, resource.token()), f"a token without {other.scope}", REFUSED)
    if mints and read.scope:
        send(target, "a token without a scope", None, scope=None)
        nearly = (f"{read.scope}.all", read.scope[:-1], f"x-{read.scope}", read.scope.swapcase())
        for scope in nearly:
            send(target, f"a token with the scope {scope}", None, scope=scope)
