"""How a resource refuses, and where it takes a token from (RFC 6750)."""

from tests.e2e.check import check
from tests.e2e.checks.resource_tokens import REFUSED
from tests.e2e.expect import challenge
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun


@check("RS-60")
def a_request_without_a_token_is_challenged(target: Target) -> None:
    """Call without a token, and with credentials of another scheme."""
    resource, expect = target.resource, target.expect
    for headers in ([], [("Authorization", "Basic dXNlcjpwYXNz")]):
        answer = resource.call(resource.read, headers=headers)
        what = "a request with Basic credentials" if headers else "a request without a token"
        expect.denied(answer, what)
        found = challenge(answer)
        expect.that("the answer to it", "to have a Bearer challenge", answer, holds=bool(found))
        expect.that(
            "the challenge", "to have no error code", found, holds=headers != [] or "error" not in found
        )


@check("RS-61")
def the_challenge_says_what_is_wrong(target: Target) -> None:
    """Send a token that is none, and a good token to an operation that needs another scope."""
    resource, expect = target.resource, target.expect
    for bad in ("not-a-token", "a.b.c"):
        answer = resource.call(resource.read, bad)
        expect.denied(answer, f"the token {bad}", 401, "invalid_token")
    other = resource.section.other_scope
    if other is None:
        raise NotRun("It takes an operation that needs another scope: [resource.other_scope].")
    answer = resource.call(other, resource.token())
    expect.denied(answer, f"a token without {other.scope}", 403, "insufficient_scope")
    named = challenge(answer).get("scope")
    holds = named is None or set(other.scope.split()) <= set(named.split())
    expect.that("scope of the challenge", f"to name {other.scope}", named, holds=holds)


@check("RS-62")
def a_token_comes_in_one_header_only(target: Target) -> None:
    """Send a good token in the address, in the address too, and twice."""
    resource, expect = target.resource, target.expect
    token = resource.token()
    in_address = [("access_token", token)]
    expect.denied(resource.call(resource.read, query=in_address), "a token in the address", (400, *REFUSED))
    answer = resource.call(resource.read, token, query=in_address)
    expect.denied(answer, "a token there and in the header", 400)
    again = [("Authorization", f"Bearer {token}")]
    expect.denied(resource.call(resource.read, token, headers=again), "two Authorization headers", 400)
