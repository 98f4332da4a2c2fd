"""The decision as a pure function: against a restatement that shares no code with it, on generated input."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from delegation.authorization_details import AccountTransfer
from delegation.scope import Scope
from delegation.token import AccessToken, Actor, DelegationToken
from gateway.arguments import Argument, UnusableArgument, read_arguments
from gateway.condition import Expression, Facts, Uncompilable, Undecidable
from gateway.decision import Decision, Deny, Permit, Request, decide
from gateway.path_template import PathTemplate, UnsafePath, path_segments
from gateway.policy import Operation, Policy, contested_routes
from gateway.rate import Limits, limits_of
from gateway.rest import target_of
from gateway.route_table import RouteTable

SEGMENTS = ("a", "b", "accounts", ".hidden")
NAMES = ("{id}", "{other}")
SCOPES = ("s:one", "s:two", "s:three")
ACTORS = ("https://one.example", "https://two.example", "https://one.example/")
METHODS = ("GET", "POST", "DELETE")
unhurried = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TIME = datetime(2025, 1, 1, 10, tzinfo=UTC)
ACTING = DelegationToken(
    "iss", "sub", ("aud",), "client", Scope({"s:one"}), "jti", TIME, TIME, act=Actor("https://one.example")
)

templates = st.lists(st.sampled_from(SEGMENTS + NAMES), min_size=1, max_size=4, unique=True).map(
    lambda segments: "/" + "/".join(segments)
)
CONDITIONS: dict[str, Callable[[AccessToken, int, datetime], bool]] = {
    "args.n <= 5": lambda token, n, now: n <= 5,
    "args.n / (args.n - 3) > 0": lambda token, n, now: n != 3 and int(n / (n - 3)) > 0,
    "claims.client_id == actor.sub": lambda token, n, now: token.client_id == token.actors[0],
    "customer != 'sub' || args.n == 4": lambda token, n, now: token.subject != "sub" or n == 4,
    "'s:two' in claims.scope": lambda token, n, now: "s:two" in str(token.scope).split(),
    "actor.chain.exists(a, a == 'https://two.example')": lambda token, n, now: ACTORS[1] in token.actors,
    "now < claims.exp": lambda token, n, now: now < token.expires_at,
    "now.getHours() < 12": lambda token, n, now: now.hour < 12,
    "authorization_details.all(one, args.n <= one.max_amount_minor)": lambda token, n, now: (
        token.account_transfer is None or n <= token.account_transfer.max_amount_minor
    ),
    "authorization_details[0].max_amount_minor > 0": lambda token, n, now: token.account_transfer is not None,
}
"""Conditions, and the same in Python, for a token that names an actor and an argument that is there."""

PLAIN: dict[str, Any] = {
    "method": "GET",
    "path": "/a",
    "scope": "s:one",
    "actors": [ACTORS[0]],
    "max_depth": "2",
    "mode": "enforce",
    "rate": {},
    "arguments": {"n": {"in": "query", "type": "int"}},
    "conditions": [],
}
operations = st.fixed_dictionaries(
    {
        "method": st.sampled_from(METHODS),
        "path": templates,
        "scope": st.sets(st.sampled_from(SCOPES), min_size=1).map(" ".join),
        "actors": st.lists(st.sampled_from(ACTORS), min_size=1),
        "max_depth": st.sampled_from("12344"),
        "mode": st.sampled_from(["enforce", "enforce", "observe"]),
        "rate": st.sampled_from([{}, {}, {"agent": "1/minute"}, {"customer": "1/hour", "agent": "2/second"}]),
        "arguments": st.just({"n": {"in": "query", "type": "int"}}),
        "conditions": st.lists(st.sampled_from(sorted(CONDITIONS)), max_size=3).map(
            lambda texts: [{"require": text, "otherwise": "No."} for text in texts]
        ),
    }
)
paths = st.one_of(
    st.lists(st.sampled_from([*SEGMENTS, "x", "", "..", "%61", "{id}", "a;b", "A"]), max_size=5).map(
        lambda segments: "/" + "/".join(segments)
    ),
    st.text(max_size=12),
)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Operations by name, none of whose routes is contested."""
    sound: dict[str, dict[str, Any]] = {}
    for number, operation in enumerate(draw(st.lists(operations, min_size=1, max_size=6))):
        candidate = sound | {f"op{number}": operation}
        if not list(contested_routes({name: Operation(**one) for name, one in candidate.items()})):
            sound = candidate
    return sound or {"op": PLAIN}


@st.composite
def tokens(draw: st.DrawFn) -> AccessToken:
    """A verified token, with or without an actor."""
    scope = Scope(draw(st.sets(st.sampled_from(SCOPES))))
    sub, client = draw(st.sampled_from(["sub", "other"])), draw(st.sampled_from(ACTORS))
    common: Any = ("iss", sub, ("aud",), client, scope, "jti", TIME, TIME)
    chain = draw(st.lists(st.sampled_from([*ACTORS, "https://none.example"]), max_size=4))
    details = draw(st.sampled_from([None, AccountTransfer(4), AccountTransfer(100)]))
    token = replace(AccessToken(*common), account_transfer=details)
    return acting(token, chain) if chain else token


def acting(token: AccessToken, chain: list[str]) -> DelegationToken:
    """The same token with an actor chain, the current actor first."""
    actor = None
    for sub in reversed(chain):
        actor = Actor(sub, actor)
    assert actor is not None
    same = {one.name: getattr(token, one.name) for one in fields(AccessToken)}
    return DelegationToken(**same, act=actor)


QUERIES = (
    "n=4",
    "n=5",
    "n=6",
    "n=3",
    "n=-1",
    "",
    "n=x",
    "n=4&n=4",
    "n=4.0",
    "m=1&n=2",
    "n=99999999999999999999",
)


@dataclass(frozen=True)
class Call:
    """One call: the token, the request line, when, and how many seconds the limits ask to wait."""

    token: AccessToken
    method: str
    path: str
    query: str
    now: datetime
    used_up: bool


@st.composite
def calls(draw: st.DrawFn) -> tuple[dict[str, dict[str, Any]], Call]:
    """Operations, and a call whose method and path more often than not are those of an operation."""
    operations = draw(policies())
    near = draw(st.sampled_from(sorted(operations.values(), key=str)))
    # Three of four calls come as far as the operation's own rules: the rest would seldom try them.
    close = draw(st.sampled_from([True, True, True, False]))
    method = near["method"] if close else draw(st.sampled_from([near["method"], *METHODS, "HEAD", "get"]))
    fill = "x" if close else draw(st.sampled_from(["x", "a", "..", "", "%61"]))
    filled = re.sub(r"\{[a-z]+\}", fill, near["path"])
    path = filled if close else draw(st.one_of(st.just(filled), paths))
    token = draw(tokens())
    if close:
        # And of those, some fall short by the actor alone, or by the scope alone.
        short = draw(st.sampled_from(["no", "no", "no", "no", "actor", "scope"]))
        chain = draw(st.lists(st.sampled_from(ACTORS), min_size=1, max_size=4))
        if short != "actor":
            chain[0] = draw(st.sampled_from(near["actors"]))
        scope = draw(st.sets(st.sampled_from(SCOPES))) if short == "scope" else SCOPES
        token = acting(replace(token, scope=Scope(scope)), chain)
    query = draw(st.sampled_from(["n=4", "n=4", "n=6", draw(st.sampled_from(QUERIES))]))
    now = TIME + timedelta(hours=draw(st.integers(-30, 30)))
    return operations, Call(token, method, path, query, now, draw(st.sampled_from([False, False, True])))


def made(operations: dict[str, dict[str, Any]], call: Call) -> Decision:
    """Decide, as the door does it."""
    policy = Policy.model_validate({"audience": "aud", "name": "x", "operations": operations})
    target = target_of(policy, call.method, call.path.encode())
    if isinstance(target, Deny):
        return target
    operation = policy.operations[target.operation]
    limits = Limits()
    counted = limits_of(target.operation, operation.rate.agent, operation.rate.customer, call.token)
    if call.used_up:
        while counted and not limits.exceeded(counted, call.now):
            limits.count(counted, call.now)
    try:
        arguments: Any = read_arguments(operation.arguments, target.parameters, call.query.encode(), None)
    except UnusableArgument as error:
        arguments = error
    exceeded = limits.exceeded(counted, call.now)
    return decide(policy, Request(target.operation, call.token, call.now, arguments, exceeded))


def restated(operations: dict[str, dict[str, Any]], call: Call) -> object:
    """The status of the refusal, or the operation that is permitted; naively, by regular expressions."""
    token, path = call.token, call.path
    plain = re.fullmatch(r"(/[A-Za-z0-9._~!$&'()*+,=:@-]+)*/?", path)
    if not plain or not path.startswith("/") or re.search(r"/\.{1,2}(/|$)", path):
        return 400
    here = {
        one["method"]: (name, one)
        for name, one in operations.items()
        if re.fullmatch(re.sub(r"\\{[a-z]+\\}", "[^/]+", re.escape(one["path"])), path)
    }
    if not here:
        return 404
    if call.method not in here:
        return 405
    name, operation = here[call.method]
    if not token.actors or token.actors[0] not in operation["actors"]:
        return 403
    if len(token.actors) > int(operation["max_depth"]):
        return 403
    if not all(needed in str(token.scope).split() for needed in operation["scope"].split()):
        return 403
    if operation["mode"] == "enforce":
        if not re.fullmatch(r"(m=1&)?n=-?\d{1,15}", call.query):
            return 422
        n = int(call.query.rpartition("=")[2])
        if not all(CONDITIONS[one["require"]](token, n, call.now) for one in operation["conditions"]):
            return 403
    return 429 if call.used_up and operation["rate"] else name


def outcome(decision: Decision) -> object:
    return decision.operation if isinstance(decision, Permit) else decision.status


@unhurried
@given(calls())
def test_decide_permits_exactly_what_a_naive_restatement_of_the_rules_permits(
    case: tuple[dict[str, dict[str, Any]], Call],
) -> None:
    operations, call = case
    expected, found = restated(operations, call), outcome(made(operations, call))
    event(str(expected) if isinstance(expected, int) else "permit")
    assert found == expected


ONE_SCOPE = replace(ACTING, scope=Scope({"s:one"}))
ALONE: dict[str, tuple[dict[str, Any], AccessToken, str | None]] = {
    "nothing": ({}, ONE_SCOPE, None),
    "an allowed actor behind another": ({}, acting(ONE_SCOPE, [ACTORS[1], ACTORS[0]]), "actor-not-allowed"),
    "an actor that begins like an allowed one": ({}, acting(ONE_SCOPE, [ACTORS[2]]), "actor-not-allowed"),
    "an actor whose name an allowed one begins with": (
        {"actors": [ACTORS[2]]}, acting(ONE_SCOPE, [ACTORS[0]]), "actor-not-allowed",
    ),
    "a client that is allowed, as no actor": (
        {}, replace(acting(ONE_SCOPE, [ACTORS[1]]), client_id=ACTORS[0]), "actor-not-allowed",
    ),
    "a longest chain": ({}, acting(ONE_SCOPE, [ACTORS[0], ACTORS[1]]), None),
    "one actor too many": ({}, acting(ONE_SCOPE, [ACTORS[0]] * 3), "delegation-too-deep"),
    "the first of two scopes": ({"scope": "s:one s:two"}, ONE_SCOPE, "insufficient-scope"),
    "the second of two scopes": ({"scope": "s:two s:one"}, ONE_SCOPE, "insufficient-scope"),
    "a scope that another begins with": ({"scope": "s:o"}, ONE_SCOPE, "insufficient-scope"),
    "a first condition": (
        {"conditions": [{"require": text, "otherwise": "No."} for text in ("args.n < 4", "args.n > 0")]},
        ONE_SCOPE, "condition-not-met",
    ),
    "a last condition": (
        {"conditions": [{"require": text, "otherwise": "No."} for text in ("args.n > 0", "args.n < 4")]},
        ONE_SCOPE, "condition-not-met",
    ),
}  # fmt: skip
"""Changes to an operation that permits, the token, and the kind of the refusal."""


@pytest.mark.parametrize(("changes", "token", "kind"), ALONE.values(), ids=ALONE)
def test_whatever_is_wrong_alone_refuses(
    changes: dict[str, Any], token: AccessToken, kind: str | None
) -> None:
    decision = made({"op": PLAIN | changes}, Call(token, "GET", "/a", "n=4", TIME, used_up=False))
    assert (decision.kind if isinstance(decision, Deny) else None) == kind


@unhurried
@given(policies(), tokens())
def test_every_operation_is_reached_by_its_own_route_and_a_refusal_names_every_scope(
    operations: dict[str, dict[str, Any]], token: AccessToken
) -> None:
    for name, operation in operations.items():
        path = re.sub(r"\{[a-z]+\}", "anything", operation["path"])
        decision = made(operations, Call(token, operation["method"], path, "n=4", TIME, used_up=False))
        assert decision.operation == name
        if isinstance(decision, Deny) and decision.kind == "insufficient-scope":
            assert decision.challenge is not None
            assert decision.challenge.scope == Scope.parse(operation["scope"])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@unhurried
@given(st.sampled_from(sorted(CONDITIONS)), values, tokens())
def test_no_value_makes_a_condition_raise_or_hold_that_should_not(
    text: str, value: Any, token: AccessToken
) -> None:
    condition = {"require": f"args.n < 0 && ({text})", "otherwise": "No."}
    operation = PLAIN | {"actors": ACTORS, "max_depth": "4", "conditions": [condition]}
    policy = Policy.model_validate({"audience": "aud", "name": "x", "operations": {"op": operation}})
    decision = decide(policy, Request("op", token, TIME, {"n": value}))
    if isinstance(decision, Permit):
        assert isinstance(value, int)
        assert value < 0


@unhurried
@given(
    st.text(max_size=30)
    | st.sampled_from(sorted(CONDITIONS)).flatmap(
        lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut] + ")" + text[cut + 1 :])
    )
)
def test_no_text_for_a_condition_does_anything_but_compile_or_be_refused(text: str) -> None:
    try:
        expression = Expression(text, {"n": "int"})
    except Uncompilable:
        return
    with suppress(Undecidable):
        assert expression.holds(Facts(ACTING, {"n": 4}, TIME)) in {True, False}


@pytest.mark.parametrize(
    "text",
    [
        "customer == 'sub'",
        "actor.sub == 'https://one.example' && actor.chain == ['https://one.example', 'https://two.example']",
        "claims.aud == ['aud'] && claims.iss == 'iss' && claims.jti == 'jti'",
        "claims.client_id == 'client' && claims.scope == ['s:one']",
        "claims.iat == now && claims.exp - now == duration('60s')",
    ],
)
def test_a_condition_sees_what_the_token_says_under_its_own_name(text: str) -> None:
    token = replace(acting(ONE_SCOPE, [ACTORS[0], ACTORS[1]]), expires_at=TIME + timedelta(seconds=60))
    assert Expression(text, {}).holds(Facts(token, {}, TIME))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "00"),
        ("int", "9223372036854775808"),
        ("string", "x" * 513),
        ("string", "\0"),
        ("bool", "True"),
    ],
)
def test_text_that_is_no_argument_of_its_type_is_refused(kind: str, text: str) -> None:
    argument = Argument.model_validate({"in": "query", "type": kind})
    with pytest.raises(UnusableArgument):
        argument.of_text(text)
    for value in (0, 1) if kind == "bool" else (True,):
        with pytest.raises(UnusableArgument):
            argument.of_json(value)


@unhurried
@given(st.binary(max_size=40))
def test_a_path_either_splits_into_segments_that_make_it_up_byte_for_byte_or_is_refused(path: bytes) -> None:
    try:
        segments = path_segments(path)
    except UnsafePath:
        return
    assert "".join(f"/{segment}" for segment in segments).encode() == path
    assert all(segment not in {".", ".."} for segment in segments)


@unhurried
@given(templates, paths)
def test_a_template_matches_nothing_that_it_does_not_say(template: str, path: str) -> None:
    table = RouteTable([("GET", PathTemplate.parse(template), "op")])
    try:
        found = table.at(path_segments(path.encode()))
    except UnsafePath:
        return
    pairs = list(zip(template.split("/"), path.split("/"), strict=False))
    says_it = template.count("/") == path.count("/") and all(
        one == two or (one.startswith("{") and two != "") for one, two in pairs
    )
    assert found == ({"GET": ("op", PathTemplate.parse(template))} if says_it else {})


@unhurried
@given(templates, templates, paths)
def test_templates_that_do_not_overlap_never_match_the_same_path(one: str, two: str, path: str) -> None:
    first, second = PathTemplate.parse(one), PathTemplate.parse(two)
    try:
        segments = path_segments(path.encode())
    except UnsafePath:
        return
    both = all(RouteTable([("GET", template, "op")]).at(segments) for template in (first, second))
    assert not both or first.overlaps(second)
