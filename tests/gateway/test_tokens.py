"""Which tokens open the door: rules 49 to 62 and 71 of the catalogue, each over HTTP.

Refusals are checked for status and challenge, that nothing reached the resource, and for their record.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from delegation.signing_key import SigningKey
from gateway.app import create_app
from gateway.settings import Settings
from tests.gateway.conftest import Records, bearer, gateway_with
from tests.gateway.recording import RecordingResource
from tests.issuer import AGENT, TestIssuer
from tests.serving import serve

PATH = "/accounts/4001-01/balance"
SCOPE = "account:read_balance"
METADATA = 'resource_metadata="http://localhost:8503/.well-known/oauth-protected-resource"'


def forged(issuer: TestIssuer, **header: Any) -> str:
    """A delegation token with the issuer's own signature and these JOSE header parameters besides."""
    claims = jwt.decode(issuer.delegation_token(SCOPE), options={"verify_signature": False})
    pem = issuer.key.as_joserfc().as_pem(private=True)
    return jwt.encode(claims, pem, "ES256", {"typ": "at+jwt", "kid": issuer.key.kid} | header)


def signed_with_public_key(issuer: TestIssuer) -> str:
    """A delegation token whose HMAC is keyed with the issuer's public key (RFC 8725 §3.1)."""
    head = encoded({"typ": "at+jwt", "alg": "HS256", "kid": issuer.key.kid})
    signed = f"{head}.{issuer.delegation_token(SCOPE).split('.')[1]}"
    mac = hmac.digest(issuer.key.as_joserfc().as_pem(private=False), signed.encode(), hashlib.sha256)
    return f"{signed}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def unsigned(issuer: TestIssuer) -> str:
    head = encoded({"typ": "at+jwt", "alg": "none", "kid": issuer.key.kid})
    return f"{head}.{issuer.delegation_token(SCOPE).split('.')[1]}."


def altered(issuer: TestIssuer) -> str:
    """A delegation token whose scope was widened after it was signed."""
    head, _, signature = issuer.delegation_token(SCOPE).split(".")
    claims = jwt.decode(
        issuer.delegation_token(f"{SCOPE} account:transfer"), options={"verify_signature": False}
    )
    return f"{head}.{encoded(claims)}.{signature}"


def encoded(value: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def seconds_from_now(seconds: int) -> int:
    return int((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp())


NOT_GOOD: dict[str, Callable[[TestIssuer], str]] = {
    "49 typ JWT": lambda i: i.delegation_token(SCOPE, typ="JWT"),
    "49 no typ": lambda i: forged(i, typ=None),
    "50 no iss": lambda i: i.delegation_token(SCOPE, iss=None),
    "50 no exp": lambda i: i.delegation_token(SCOPE, exp=None),
    "50 no aud": lambda i: i.delegation_token(SCOPE, aud=None),
    "50 no sub": lambda i: i.delegation_token(SCOPE, sub=None),
    "50 no client_id": lambda i: i.delegation_token(SCOPE, client_id=None),
    "50 no iat": lambda i: i.delegation_token(SCOPE, iat=None),
    "50 no jti": lambda i: i.delegation_token(SCOPE, jti=None),
    "51 iss with a slash more": lambda i: i.delegation_token(SCOPE, iss=f"{i.issuer}/"),
    "51 another resource's aud": lambda i: i.delegation_token(SCOPE, aud="https://other.example.com"),
    "52 alg none": unsigned,
    "53 HMAC keyed with the public key": signed_with_public_key,
    "56 unknown crit": lambda i: forged(i, crit=["exp2"], exp2=1),
    "57 ID token": lambda i: i.mint(typ="JWT", aud="banking-app", nonce="n"),
    "57 ID token that says at+jwt": lambda i: i.mint(aud="banking-app", nonce="n"),
    "58 subject token": lambda i: i.subject_token(SCOPE),
    "58 actor token": lambda i: i.mint(aud=i.issuer, sub=AGENT, client_id=AGENT, scope=SCOPE),
    "59 expired": lambda i: i.delegation_token(SCOPE, exp=seconds_from_now(-1)),
    "59 not yet valid": lambda i: i.delegation_token(SCOPE, nbf=seconds_from_now(60)),
    "59 issued in the future": lambda i: i.delegation_token(SCOPE, iat=seconds_from_now(60)),
    "61 altered": altered,
    "61 signed with a stranger's key": lambda i: i.delegation_token(SCOPE, key=SigningKey.generate()),
    "61 not a JWT": lambda i: "opaque",
    "61 two parts": lambda i: "a.b",
    "61 not ASCII": lambda i: "é.é.é",
    "61 too long": lambda i: "a" * 9000,
    "authorization_details of a type unknown": lambda i: i.delegation_token(
        SCOPE, authorization_details=[{"type": "payment_initiation"}]
    ),
    "authorization_details malformed": lambda i: i.delegation_token(
        SCOPE, authorization_details=[{"type": "account_transfer", "max_amount_minor": "1"}]
    ),
    "71 act is text": lambda i: i.delegation_token(SCOPE, act=AGENT),
    "71 act without sub": lambda i: i.delegation_token(SCOPE, act={"client_id": AGENT}),
    "71 act is a list": lambda i: i.delegation_token(SCOPE, act=[{"sub": AGENT}]),
}


@pytest.mark.parametrize("make", NOT_GOOD.values(), ids=NOT_GOOD.keys())
def test_a_token_that_is_not_good_is_answered_401_invalid_token_and_goes_no_further(
    make: Callable[[TestIssuer], str],
    issuer: TestIssuer,
    client: httpx2.Client,
    resource: RecordingResource,
    records: Records,
) -> None:
    token = make(issuer)
    answer = client.get(PATH, headers={b"authorization": f"Bearer {token}".encode("latin-1")})
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    assert challenge.endswith(METADATA)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["operation"] is None
    assert resource.arrived == []
    [record] = records()
    assert (record["decision"], record["sub"], record["operation"]) == ("deny", None, "unknown")
    assert record["decision_id"] == answer.headers["decision-id"] == answer.json()["decision_id"]
    assert token not in json.dumps(record) + answer.text


def test_52_an_unsigned_token_is_refused_for_its_algorithm(issuer: TestIssuer, client: httpx2.Client) -> None:
    answer = client.get(PATH, headers=bearer(unsigned(issuer)))
    assert "signature algorithm is not accepted" in answer.json()["detail"]


def test_54_a_key_that_the_token_brings_or_points_to_is_never_fetched_or_used(
    issuer: TestIssuer, client: httpx2.Client, resource: RecordingResource
) -> None:
    thief = SigningKey.generate()
    fetched = RecordingResource()
    with serve(fetched) as elsewhere:
        for header in ({"jku": f"{elsewhere}/jwks"}, {"x5u": f"{elsewhere}/x5u"}, {"jwk": thief.public_jwk}):
            claims = jwt.decode(issuer.delegation_token(SCOPE), options={"verify_signature": False})
            pem = thief.as_joserfc().as_pem(private=True)
            token = jwt.encode(claims, pem, "ES256", {"typ": "at+jwt", "kid": thief.kid} | header)
            assert client.get(PATH, headers=bearer(token)).status_code == 401
            assert client.get(PATH, headers=bearer(forged(issuer, **header))).status_code == 401
    assert fetched.arrived == []
    assert resource.arrived == []


@pytest.mark.parametrize(
    "kid", ["../../etc/passwd", "' OR 1=1 --", "http://localhost/key", "k" * 300, "", "\x00"]
)
def test_55_a_hostile_kid_is_refused(kid: str, issuer: TestIssuer, client: httpx2.Client) -> None:
    assert client.get(PATH, headers=bearer(forged(issuer, kid=kid))).status_code == 401


def test_55_unknown_kids_cause_one_bounded_refresh_of_the_keys(
    settings: Settings, issuer: TestIssuer
) -> None:
    start = datetime.now(UTC)
    now = [start]
    with serve(create_app(settings, lambda: now[0])) as url, httpx2.Client(base_url=url) as client:
        assert client.get(PATH, headers=bearer(issuer.delegation_token(SCOPE))).status_code == 200
        fetched = issuer.jwks_fetches
        for step in range(3):
            now[0] = start + timedelta(seconds=10 * step)
            for number in range(20):
                assert client.get(PATH, headers=bearer(forged(issuer, kid=f"k{number}"))).status_code == 401
        assert issuer.jwks_fetches == fetched + 2


@pytest.mark.parametrize("authorization", [None, "Basic dXNlcjpwYXNz", "Bearer"])
def test_60_no_token_is_answered_401_with_resource_metadata_and_no_error_code(
    authorization: str | None, client: httpx2.Client, resource: RecordingResource, records: Records
) -> None:
    answer = client.get(PATH, headers={"authorization": authorization} if authorization else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f"Bearer {METADATA}"
    assert resource.arrived == []
    assert [record["decision"] for record in records()] == ["deny"]


def test_61_too_little_scope_is_answered_403_insufficient_scope_naming_every_scope_that_is_needed(
    issuer: TestIssuer, client: httpx2.Client, resource: RecordingResource, records: Records
) -> None:
    answer = client.post("/transfers", headers=bearer(issuer.delegation_token(SCOPE)), json={})
    assert answer.status_code == 403
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="insufficient_scope"')
    assert 'scope="account:transfer"' in challenge
    assert challenge.endswith(METADATA)
    assert answer.json()["operation"] == "account.transfer"
    assert resource.arrived == []
    [record] = records()
    assert (record["decision"], record["operation"], record["scope"]) == ("deny", "account.transfer", SCOPE)


def test_61_an_operation_that_needs_two_scopes_takes_no_token_with_one_and_names_both(
    settings: Settings, issuer: TestIssuer, resource: RecordingResource, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(settings.policy_file.read_text().replace("account:transfer", "pay:order pay:book"))
    with gateway_with(settings, policy_file=file) as client:
        for scope in ("pay:order", "pay:book", "account:transfer"):
            answer = client.post("/transfers", headers=bearer(issuer.delegation_token(scope)))
            assert answer.status_code == 403
            assert 'scope="pay:book pay:order"' in answer.headers["www-authenticate"]
        assert resource.arrived == []
        token = issuer.delegation_token("pay:order pay:book")
        assert client.post("/transfers", headers=bearer(token)).status_code == 200


@pytest.mark.parametrize(
    ("scope", "opens"),
    [
        ("account:read_balance", {"/accounts", "/accounts/1/balance"}),
        ("account:read_transactions", {"/accounts/1/transactions"}),
        ("account:transfer", {"/transfers"}),
        ("account:read account:read_balances ACCOUNT:READ_BALANCE", set()),
        ("", set()),
    ],
)
def test_a_scope_opens_its_own_operations_and_no_other(
    scope: str, opens: set[str], issuer: TestIssuer, client: httpx2.Client, resource: RecordingResource
) -> None:
    headers = bearer(issuer.delegation_token(scope))
    for path in ("/accounts", "/accounts/1/balance", "/accounts/1/transactions", "/transfers"):
        answer = (
            client.post(path, headers=headers) if path == "/transfers" else client.get(path, headers=headers)
        )
        assert answer.status_code == (200 if path in opens else 403)
    assert {request.path.decode() for request in resource.arrived} == opens


@pytest.mark.parametrize("name", ["access_token", "access%5Ftoken"])
def test_62_a_token_in_the_query_is_refused(
    name: str, issuer: TestIssuer, client: httpx2.Client, resource: RecordingResource, records: Records
) -> None:
    token = issuer.delegation_token(SCOPE)
    for headers in ({}, bearer(token)):
        answer = client.get(f"{PATH}?{name}={token}", headers=headers)
        assert answer.status_code == 400
        assert 'error="invalid_request"' in answer.headers["www-authenticate"]
        assert token not in answer.text
    assert resource.arrived == []
    assert token not in json.dumps(records())


def test_62_a_query_too_long_to_be_looked_through_for_a_token_is_refused(
    issuer: TestIssuer, client: httpx2.Client, resource: RecordingResource
) -> None:
    headers = bearer(issuer.delegation_token(SCOPE))
    assert client.get(f"{PATH}?{'a&' * 1024}", headers=headers).status_code == 200
    assert client.get(f"{PATH}?{'a&' * 1024}&", headers=headers).status_code == 400
    assert len(resource.arrived) == 1


def test_62_two_tokens_in_one_request_are_answered_400(
    issuer: TestIssuer, client: httpx2.Client, resource: RecordingResource
) -> None:
    value = f"Bearer {issuer.delegation_token(SCOPE)}"
    answer = client.get(PATH, headers=[("authorization", value), ("authorization", value)])
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]
    assert resource.arrived == []


def test_71_a_token_without_act_is_refused_with_the_reason_that_this_door_is_for_agents(
    issuer: TestIssuer, client: httpx2.Client, resource: RecordingResource, records: Records
) -> None:
    answer = client.get(PATH, headers=bearer(issuer.app_token()))
    assert answer.status_code == 403
    assert answer.json()["type"] == "https://delegation-bank.example/problems/actor-required"
    assert "this door is for agents" in answer.json()["reason"].lower()
    assert resource.arrived == []
    assert [record["client_id"] for record in records()] == ["banking-app"]


@pytest.mark.parametrize(
    "act",
    [
        {"sub": "https://other-agent.example.com"},
        {"sub": f"{AGENT}/"},
        {"sub": "https://other-agent.example.com", "act": {"sub": AGENT}},
    ],
)
def test_71_an_actor_that_is_not_allowed_is_answered_403_and_only_the_outermost_counts(
    act: dict[str, Any], issuer: TestIssuer, client: httpx2.Client, resource: RecordingResource
) -> None:
    answer = client.get(PATH, headers=bearer(issuer.delegation_token(SCOPE, act=act)))
    assert answer.status_code == 403
    assert answer.json()["type"] == "https://delegation-bank.example/problems/actor-not-allowed"
    assert resource.arrived == []


def test_a_chain_of_actors_passes_by_its_outermost_and_is_recorded_whole(
    issuer: TestIssuer, client: httpx2.Client, records: Records
) -> None:
    act = {"sub": AGENT, "act": {"sub": "https://planner.example.com"}}
    assert client.get(PATH, headers=bearer(issuer.delegation_token(SCOPE, act=act))).status_code == 200
    assert [record["act"] for record in records()] == [[AGENT, "https://planner.example.com"]]
