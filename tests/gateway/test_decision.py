"""The decision as a pure function: against a restatement that shares no code with it, on generated input."""

import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delegation.scope import Scope
from delegation.token import AccessToken, Actor, DelegationToken
from gateway.decision import Decision, Deny, Permit, decide
from gateway.path_template import PathTemplate, UnsafePath, path_segments
from gateway.policy import Operation, Policy, contested_routes
from gateway.route_table import RouteTable

SEGMENTS = ("a", "b", "accounts", ".hidden")
NAMES = ("{id}", "{other}")
SCOPES = ("s:one", "s:two", "s:three")
ACTORS = ("https://one.example", "https://two.example", "https://one.example/")
METHODS = ("GET", "POST", "DELETE")
unhurried = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TIME = datetime(2025, 1, 1, tzinfo=UTC)

templates = st.lists(st.sampled_from(SEGMENTS + NAMES), min_size=1, max_size=4, unique=True).map(
    lambda segments: "/" + "/".join(segments)
)
operations = st.fixed_dictionaries(
    {
        "method": st.sampled_from(METHODS),
        "path": templates,
        "scope": st.sets(st.sampled_from(SCOPES), min_size=1).map(" ".join),
        "actors": st.lists(st.sampled_from(ACTORS), min_size=1),
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
    return sound or {"op": {"method": "GET", "path": "/a", "scope": "s:one", "actors": [ACTORS[0]]}}


@st.composite
def tokens(draw: st.DrawFn) -> AccessToken:
    """A verified token, with or without an actor."""
    scope = Scope(draw(st.sets(st.sampled_from(SCOPES))))
    common: tuple[Any, ...] = ("iss", "sub", ("aud",), "client", scope, "jti", TIME, TIME)
    chain = draw(st.lists(st.sampled_from([*ACTORS, "https://none.example"]), max_size=3))
    actor = None
    for sub in reversed(chain):
        actor = Actor(sub, actor)
    return DelegationToken(*common, act=actor) if actor else AccessToken(*common)


@st.composite
def calls(draw: st.DrawFn) -> tuple[dict[str, dict[str, Any]], AccessToken, str, str]:
    """Operations, and a token, method and path, which more often than not are those of an operation."""
    operations = draw(policies())
    near = draw(st.sampled_from(sorted(operations.values(), key=str)))
    method = draw(st.sampled_from([near["method"]] * 4 + [*METHODS, "HEAD", "get"]))
    fill = draw(st.sampled_from(["x", "a", "..", "", "%61"]))
    path = draw(st.one_of(*[st.just(re.sub(r"\{[a-z]+\}", fill, near["path"]))] * 3, paths))
    return operations, draw(tokens()), method, path


def restated(operations: dict[str, dict[str, Any]], token: AccessToken, method: str, path: str) -> object:
    """The status of the refusal, or the operation that is permitted; naively, by regular expressions."""
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
    if method not in here:
        return 405
    name, operation = here[method]
    if not token.actors or token.actors[0] not in operation["actors"]:
        return 403
    if not all(needed in str(token.scope).split() for needed in operation["scope"].split()):
        return 403
    return name


def outcome(decision: Decision) -> object:
    return decision.operation if isinstance(decision, Permit) else decision.status


@unhurried
@given(calls())
def test_decide_permits_exactly_what_a_naive_restatement_of_the_rules_permits(
    call: tuple[dict[str, dict[str, Any]], AccessToken, str, str],
) -> None:
    operations, token, method, path = call
    policy = Policy.model_validate({"audience": "aud", "name": "x", "operations": operations})
    decision = decide(policy, token, method, path.encode())
    assert outcome(decision) == restated(operations, token, method, path)


@unhurried
@given(policies(), tokens())
def test_every_operation_is_reached_by_its_own_route_and_a_refusal_names_every_scope(
    operations: dict[str, dict[str, Any]], token: AccessToken
) -> None:
    policy = Policy.model_validate({"audience": "aud", "name": "x", "operations": operations})
    for name, operation in operations.items():
        path = re.sub(r"\{[a-z]+\}", "anything", operation["path"])
        decision = decide(policy, token, operation["method"], path.encode())
        assert decision.operation == name
        if isinstance(decision, Deny) and decision.kind == "insufficient-scope":
            assert decision.challenge is not None
            assert decision.challenge.scope == Scope.parse(operation["scope"])


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
    assert found == ({"GET": "op"} if says_it else {})


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
