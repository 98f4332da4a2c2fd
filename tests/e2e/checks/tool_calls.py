"""What holds for calls by MCP besides what holds for every call."""

import secrets
import time
from typing import Any, Final

from tests.e2e.authorization_server import OTHER_AGENT
from tests.e2e.check import check
from tests.e2e.checks.resource_tokens import REFUSED
from tests.e2e.evidence import Fields
from tests.e2e.expect import challenge
from tests.e2e.jws import KeyPair, claims_of
from tests.e2e.minting import complete
from tests.e2e.target import Target
from tests.e2e.target_file import OperationFile
from tests.e2e.verdict import Failed, NotRun
from tests.e2e.wire import Answer

_ELSEWHERE: Final = "https://other.example.net"
_LONG: Final = 24 * 3600
_UNAUTHORIZED: Final = 401


@check("RS-65")
def no_token_goes_where_it_was_not_made_for(target: Target) -> None:
    """Look which tokens reach the backend: with a good token, with one for another audience, with both.

    The other one stands in header fields that carry tokens between proxies. Whom a good token is for is seen
    where it is a JWT.
    """
    resource, backend, good = target.resource, target.resource.backend, target.resource.token()
    assert backend
    foreign = KeyPair().sign({"typ": "at+jwt"}, complete(resource.claims(aud=_ELSEWHERE)))
    carried = ("X-Forwarded-Access-Token", "X-Forwarded-Authorization", "Proxy-Authorization", "Cookie")
    for headers in ([], *([(name, f"token={foreign}")] for name in carried)):
        backend.take_headers()
        answer = resource.call(resource.read, good, headers=headers)
        seen = backend.take_headers()
        if answer.is_success and not seen:
            raise NotRun("It takes a look at the backend to which the MCP endpoint passes its calls.")
        _are_for_the_next_hop(target, seen)
    if not target.lacks("resource_minting"):
        backend.take_headers()
        answer = resource.call(resource.read, resource.mint(aud=_ELSEWHERE))
        target.expect.denied(answer, f"a token for {_ELSEWHERE}", REFUSED)
        _are_for_the_next_hop(target, backend.take_headers())


def _are_for_the_next_hop(target: Target, headers: Fields) -> None:
    """Expect that each token in headers that arrived has the audience of who got them."""
    next_hop = target.resource.next_hop
    for name, value in headers:
        for token in value.replace("=", " ").split():
            audience = claims_of(token).get("aud")
            holds = audience is None or next_hop in (audience if isinstance(audience, list) else [audience])
            target.expect.that(
                f"the token that arrived in {name}", f"to be for {next_hop}", audience, holds=holds
            )


@check("RS-66")
def rest_and_mcp_decide_alike(target: Target) -> None:
    """Make calls that are right, and wrong in one way, by REST and by MCP, and compare the decisions.

    A decision is: permitted, unauthenticated or refused, the error code, and with insufficient_scope the
    scope that would help. Calls that change something are not made.
    """
    section = target.resource.section
    for operation in filter(None, (section.read, section.other_scope)):
        for what, token in _tokens(target, operation):
            _is_decided_alike(target, f"{operation.path} with {what}", operation, token)
    for what, call in (
        ("what another customer has", section.read.of_another_customer),
        ("what nobody has", section.read.of_nobody),
    ):
        if call is not None:
            _is_decided_alike(target, what, call, target.resource.token())


def _tokens(target: Target, operation: OperationFile) -> list[tuple[str, str | None]]:
    resource = target.resource
    tokens: list[tuple[str, str | None]] = [("no token", None), ("no JWT", "not-a-token")]
    tokens.append((f"the scope {resource.read.scope}", resource.token()))
    if target.lacks("resource_minting"):
        return tokens
    yesterday = int(time.time()) - _LONG
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"scope": None},
        {"act": None},
        {"act": {"sub": OTHER_AGENT}, "client_id": OTHER_AGENT},
        {"aud": _ELSEWHERE},
        {"sub": None},
        {"iat": yesterday, "exp": yesterday + 1},
    )
    for one in changes:
        token = resource.mint(None, **({"scope": operation.scope} | one))
        tokens.append((f"a token changed in {', '.join(one) or 'nothing'}", token))
    return tokens


def _is_decided_alike(target: Target, what: str, operation: OperationFile, token: str | None) -> None:
    by_rest, by_mcp = (
        _decision(target.resource_by(transport).call(operation, token)) for transport in ("REST", "MCP")
    )
    target.expect.that(what, f"to be decided by MCP as by REST: {by_rest}", by_mcp, holds=by_rest == by_mcp)


def _decision(answer: Answer) -> str:
    if answer.status >= 500:
        raise Failed("the call to be decided", str(answer))
    if answer.is_success:
        return "permitted"
    told = challenge(answer)
    error = told.get("error", "")
    scope = " ".join(sorted(told.get("scope", "").split())) if error == "insufficient_scope" else ""
    decided = "unauthenticated" if answer.status == _UNAUTHORIZED else "refused"
    return " ".join(filter(None, (decided, error, scope)))


@check("RS-67")
def arguments_are_authorised(target: Target) -> None:
    """Call tools that the token is good for, with what another customer has, or what the policy refuses.

    Then with a message that has the member `arguments` twice, the good ones first and last: who decides may
    read one of them, and who carries out the other.
    """
    resource, expect = target.resource, target.expect
    bad = [(resource.read, resource.read.of_another_customer, "what another customer has")]
    for operation in filter(None, (resource.read, resource.section.other_scope, resource.section.write)):
        if operation.refused_arguments is not None:
            refused = operation.model_copy(update={"arguments": operation.refused_arguments})
            bad.append((operation, refused, "arguments that the policy refuses"))
    tried = [(good, wrong, what) for good, wrong, what in bad if wrong is not None]
    if not tried:
        raise NotRun("It takes refused_arguments, or resource.read.another_customers_arguments.")
    for good, wrong, what in tried:
        token = _token(target, good)
        key = secrets.token_urlsafe(16) if good.method != "GET" else ""
        answer = resource.call(wrong, token, idempotency_key=key)
        expect.denied(answer, f"{good.tool} with {what}", (400, 403, 404))
        for first, second in ((good, wrong), (wrong, good)):
            answer = resource.call_with_both(first, second, token, idempotency_key=key)
            expect.denied(answer, f"{good.tool} with arguments twice, and {what}", (400, 403, 404))


def _token(target: Target, operation: OperationFile) -> str:
    try:
        return target.resource.token(operation.scope)
    except Failed as refused:
        raise NotRun(
            f"It takes a token with {operation.scope}: [minting]. The server: {refused.actual}."
        ) from None
