"""Which tokens a protected resource takes: RULES 49-59, each broken in one way; RFC 9068 §4, RFC 8725."""

import base64
import hashlib
import hmac
import json
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from delegation.bearer import InvalidToken
from delegation.jwks import KeysUnavailable, RemoteKeySet
from delegation.signing_key import SigningKey
from delegation.token import AccessToken, Actor, DelegationToken
from delegation.verification import TokenVerifier, access_token, key_id
from tests.clock import NOON, SetClock
from tests.issuer import ACCOUNT_API, AGENT, CUSTOMER, TestIssuer
from tests.jwks_server import JwksServer

pytestmark = pytest.mark.asyncio
NOW = int(NOON.timestamp())
ACTOR = {"sub": AGENT}
OURS = {"iss": "http://localhost:8502"}
FOREIGN = {"iss": "https://elsewhere.example"}
HALF_A_LETTER = "\ud800x"


@pytest.fixture
def verifier(issuer: TestIssuer, http: httpx2.AsyncClient, clock: SetClock) -> TokenVerifier:
    keys = RemoteKeySet(issuer.jwks_uri, http, clock)
    return TokenVerifier(issuer.issuer, ACCOUNT_API, keys, clock=clock)


def encoded(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def payload(issuer: TestIssuer) -> str:
    return issuer.delegation_token("account:read_balance").split(".")[1]


def signed(issuer: TestIssuer, claims: str | None = None, **header: Any) -> str:
    """Sign with the issuer's key, under any JOSE header: parameters can be changed, or left out with None."""
    whole = {"alg": "ES256", "typ": "at+jwt", "kid": issuer.key.kid} | header
    head = encoded({name: value for name, value in whole.items() if value is not None})
    message = f"{head}.{claims or payload(issuer)}"
    key = issuer.key.as_joserfc().private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{message}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def no_claim(name: str) -> dict[str, Any]:
    return {name: None}


async def test_a_delegation_token_becomes_a_type(issuer: TestIssuer, verifier: TokenVerifier) -> None:
    token = await verifier.verify(issuer.delegation_token("b a", jti="1"))
    assert isinstance(token, DelegationToken)
    assert (token.subject, token.client_id, token.audience) == (CUSTOMER, AGENT, (ACCOUNT_API,))
    assert (str(token.scope), token.jti, token.issuer) == ("a b", "1", issuer.issuer)
    assert (token.actors, token.act, token.may_act) == ((AGENT,), Actor(AGENT), None)
    assert (token.issued_at, (token.expires_at - token.issued_at).seconds) == (NOON, 300)


async def test_a_token_without_act_is_no_delegation_token(
    issuer: TestIssuer, verifier: TokenVerifier
) -> None:
    token = await verifier.verify(issuer.app_token())
    assert type(token) is AccessToken
    assert token.actors == ()


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"aud": [ACCOUNT_API, "https://elsewhere.example"]}, id="a list of audiences with ours"),
        pytest.param({"iat": NOW + 5}, id="an issuer's clock five seconds ahead"),
        pytest.param({"nbf": NOW}, id="an nbf of now"),
        pytest.param({"exp": NOW + 1}, id="a second to live"),
        pytest.param({"exp": NOW + 0.5}, id="half a second to live"),
        pytest.param({"scope": None}, id="no scope"),
        pytest.param({"act": {"sub": AGENT, "act": {"sub": "other"}}}, id="an earlier actor"),
        pytest.param(
            {"act": {"sub": AGENT, "exp": 1, "nbf": 9e99, "aud": 7}}, id="an actor's own exp, nbf, aud"
        ),
        pytest.param({"may_act": {"sub": AGENT}}, id="a may_act"),
        pytest.param({"act": ACTOR | OURS, "may_act": ACTOR | OURS}, id="an actor of the token's own issuer"),
        pytest.param({"anything": [{"else": None}]}, id="a claim that nobody knows"),
    ],
)
async def test_a_token_is_accepted_that_has(
    issuer: TestIssuer, verifier: TokenVerifier, claims: dict[str, Any]
) -> None:
    assert (await verifier.verify(issuer.mint(**claims))).subject == CUSTOMER


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
async def test_a_token_is_accepted_with_the_type(
    issuer: TestIssuer, verifier: TokenVerifier, typ: str
) -> None:
    assert await verifier.verify(issuer.mint(typ=typ))


async def test_the_chain_names_the_current_actor_first(issuer: TestIssuer, verifier: TokenVerifier) -> None:
    act = {"sub": "third", "act": {"sub": "second", "act": {"sub": "first"}}}
    assert (await verifier.verify(issuer.mint(act=act))).actors == ("third", "second", "first")


@pytest.mark.parametrize("name", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
async def test_a_token_is_refused_without_the_claim(
    issuer: TestIssuer, verifier: TokenVerifier, name: str
) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.mint(**no_claim(name)))


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"iss": "http://localhost:8502/"}, id="the issuer with a slash"),
        pytest.param({"iss": "https://elsewhere.example"}, id="another issuer"),
        pytest.param({"aud": "https://elsewhere.example"}, id="another audience"),
        pytest.param({"aud": f"{ACCOUNT_API}/"}, id="the audience with a slash"),
        pytest.param({"aud": []}, id="an empty list of audiences"),
        pytest.param({"aud": [ACCOUNT_API, 7]}, id="an audience that is a number"),
        pytest.param({"aud": [ACCOUNT_API, ""]}, id="an audience that is empty"),
        pytest.param({"aud": {ACCOUNT_API: 1}}, id="an object for an audience"),
        pytest.param({"aud": AGENT, "may_act": ACTOR}, id="the shape of a subject token"),
        pytest.param(
            {"aud": "http://localhost:8502", "sub": AGENT, "client_id": AGENT}, id="that of an actor token"
        ),
        pytest.param({"sub": ""}, id="an empty subject"),
        pytest.param({"sub": "s" * 513}, id="an endless subject"),
        pytest.param({"sub": 7}, id="a number for a subject"),
        pytest.param({"client_id": [AGENT]}, id="a list for a client"),
        pytest.param({"jti": 7}, id="a number for a jti"),
        pytest.param({"exp": NOW}, id="an expiry of now"),
        pytest.param({"exp": NOW - 1}, id="an expiry that has passed"),
        pytest.param({"exp": str(NOW + 300)}, id="text for an expiry"),
        pytest.param({"exp": True}, id="true for an expiry"),
        pytest.param({"exp": float("nan")}, id="an expiry that is not a number"),
        pytest.param({"exp": float("inf")}, id="an expiry that never comes"),
        pytest.param({"exp": 10**18}, id="an expiry beyond time"),
        pytest.param({"iat": NOW + 6}, id="a time of issue to come"),
        pytest.param({"iat": "now"}, id="text for a time of issue"),
        pytest.param({"nbf": NOW + 6}, id="an nbf to come"),
        pytest.param({"nbf": None, "iat": -(10**18)}, id="a time of issue before time"),
        pytest.param({"nbf": "now"}, id="text for an nbf"),
        pytest.param({"scope": ["a", "b"]}, id="a list for a scope"),
        pytest.param({"scope": 'a"b'}, id="a malformed scope"),
        pytest.param({"act": AGENT}, id="text for an actor"),
        pytest.param({"act": [ACTOR]}, id="a list for an actor"),
        pytest.param({"act": {}}, id="an actor without sub"),
        pytest.param({"act": {"sub": 7}}, id="an actor whose sub is a number"),
        pytest.param({"act": {"sub": ""}}, id="an actor whose sub is empty"),
        pytest.param({"act": {"sub": AGENT, "act": "x"}}, id="an earlier actor that is text"),
        pytest.param({"act": {"sub": AGENT, "act": {}}}, id="an earlier actor without sub"),
        pytest.param({"may_act": AGENT}, id="text for a may_act"),
        pytest.param({"may_act": {}}, id="a may_act without sub"),
        pytest.param({"act": ACTOR | FOREIGN}, id="an actor of another issuer"),
        pytest.param({"act": ACTOR | {"iss": None}}, id="an actor of no issuer"),
        pytest.param({"act": ACTOR | {"act": ACTOR | FOREIGN}}, id="an earlier actor of another issuer"),
        pytest.param({"may_act": ACTOR | FOREIGN}, id="a may_act of another issuer"),
        pytest.param({"sub": HALF_A_LETTER}, id="half a letter in the subject"),
        pytest.param({"client_id": HALF_A_LETTER}, id="half a letter in the client"),
        pytest.param({"jti": HALF_A_LETTER}, id="half a letter in the jti"),
        pytest.param({"aud": [ACCOUNT_API, HALF_A_LETTER]}, id="half a letter in an audience"),
        pytest.param({"scope": HALF_A_LETTER}, id="half a letter in the scope"),
        pytest.param({"act": {"sub": HALF_A_LETTER}}, id="half a letter in the actor"),
        pytest.param(
            {"act": ACTOR | {"act": {"sub": HALF_A_LETTER}}}, id="half a letter in the actor before"
        ),
        pytest.param({"may_act": {"sub": HALF_A_LETTER}}, id="half a letter in the may_act"),
        pytest.param({"sub": "a\x00b"}, id="a NUL in the subject"),
        pytest.param({"aud": [ACCOUNT_API, "a\x00b"]}, id="a NUL in an audience"),
        pytest.param({"exp": 10**400}, id="an expiry of 400 digits"),
    ],
)
async def test_a_token_is_refused_that_has(
    issuer: TestIssuer, verifier: TokenVerifier, claims: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.mint(**claims))


async def test_null_for_an_actor_is_no_way_to_be_without_one(
    issuer: TestIssuer, verifier: TokenVerifier
) -> None:
    content = json.loads(base64.urlsafe_b64decode(payload(issuer) + "=="))
    for name in ("act", "may_act", "nbf"):
        with pytest.raises(InvalidToken):
            await verifier.verify(signed(issuer, encoded(content | {name: None})))


async def test_a_list_of_issuers_is_refused(issuer: TestIssuer, verifier: TokenVerifier) -> None:
    content = json.loads(base64.urlsafe_b64decode(payload(issuer) + "=="))
    with pytest.raises(InvalidToken):
        await verifier.verify(signed(issuer, encoded(content | {"iss": [issuer.issuer]})))


async def test_a_chain_of_actors_is_bounded(issuer: TestIssuer, verifier: TokenVerifier) -> None:
    act: dict[str, Any] = {"sub": "1"}
    for name in "234":
        act = {"sub": name, "act": act}
    assert len((await verifier.verify(issuer.mint(act=act))).actors) == 4
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.mint(act={"sub": "5", "act": act}))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"typ": "JWT"}, id="the type of an ID token"),
        pytest.param({"typ": "client-authentication+jwt"}, id="the type of a client assertion"),
        pytest.param({"typ": None}, id="no type"),
        pytest.param({"typ": ["at+jwt"]}, id="a list of types"),
        pytest.param({"alg": "none"}, id="the algorithm none"),
        pytest.param({"alg": "ES384"}, id="another algorithm"),
        pytest.param({"alg": "es256"}, id="the algorithm in other letters"),
        pytest.param({"alg": ["ES256"]}, id="a list of algorithms"),
        pytest.param({"alg": None}, id="no algorithm"),
        pytest.param({"kid": None}, id="no kid"),
        pytest.param({"kid": ""}, id="an empty kid"),
        pytest.param({"kid": 7}, id="a number for a kid"),
        pytest.param({"kid": "../../etc/passwd"}, id="a path for a kid"),
        pytest.param({"kid": "' OR '1'='1"}, id="SQL for a kid"),
        pytest.param({"kid": "k" * 257}, id="an endless kid"),
        pytest.param({"kid": "a\x00b"}, id="a NUL in the kid"),
        pytest.param({"jku": "http://127.0.0.1:1/jwks"}, id="a jku"),
        pytest.param({"x5u": "http://127.0.0.1:1/cert"}, id="an x5u"),
        pytest.param({"x5c": ["AAAA"]}, id="an x5c"),
        pytest.param({"jwk": SigningKey.generate().public_jwk}, id="a key of its own"),
        pytest.param({"crit": ["exp"]}, id="an unknown crit"),
        pytest.param({"crit": []}, id="an empty crit"),
        pytest.param({"crit": 5}, id="a crit that is a number"),
        pytest.param({"b64": False, "crit": ["b64"]}, id="a payload that is not encoded"),
    ],
)
async def test_a_token_is_refused_whose_header_has(
    issuer: TestIssuer, verifier: TokenVerifier, header: dict[str, Any]
) -> None:
    assert await verifier.verify(signed(issuer))
    with pytest.raises(InvalidToken):
        await verifier.verify(signed(issuer, **header))


async def test_a_token_is_refused_with_padding_or_other_letters_than_base64url(
    issuer: TestIssuer, verifier: TokenVerifier
) -> None:
    token = issuer.mint()
    assert await verifier.verify(token)
    head, claims, signature = token.split(".")
    for other in (
        f"{token}=",
        f"{token}==",
        f"{head}==.{claims}.{signature}",
        f"{head}.{claims}==.{signature}",
        f"{token}\n",
        f"{token}.",
        f"{head}.{claims}.*{signature}",
    ):
        with pytest.raises(InvalidToken):
            await verifier.verify(other)


async def test_an_unsigned_token_is_refused(issuer: TestIssuer, verifier: TokenVerifier) -> None:
    for algorithm in ("none", "None", "NONE", "ES256"):
        head = encoded({"alg": algorithm, "typ": "at+jwt", "kid": issuer.key.kid})
        with pytest.raises(InvalidToken):
            await verifier.verify(f"{head}.{payload(issuer)}.")


async def test_an_hmac_keyed_with_the_public_key_is_refused(
    issuer: TestIssuer, verifier: TokenVerifier
) -> None:
    head = encoded({"alg": "HS256", "typ": "at+jwt", "kid": issuer.key.kid})
    message = f"{head}.{payload(issuer)}"
    for key in (issuer.key.as_joserfc().as_pem(private=False), json.dumps(issuer.key.public_jwk).encode()):
        mac = hmac.digest(key, message.encode(), hashlib.sha256)
        with pytest.raises(InvalidToken):
            await verifier.verify(f"{message}.{encoded(mac)}")


async def test_a_token_of_another_key_under_the_issuers_kid_is_refused(
    issuer: TestIssuer, verifier: TokenVerifier
) -> None:
    thief = SigningKey.generate()
    thief.kid = issuer.key.kid
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.mint(key=thief))


async def test_a_token_changed_after_it_was_signed_is_refused(
    issuer: TestIssuer, verifier: TokenVerifier
) -> None:
    head, _, signature = issuer.delegation_token("account:read_balance").split(".")
    wider = issuer.delegation_token("account:transfer").split(".")[1]
    with pytest.raises(InvalidToken):
        await verifier.verify(f"{head}.{wider}.{signature}")


async def test_a_token_that_is_too_long_is_not_even_read(issuer: TestIssuer, verifier: TokenVerifier) -> None:
    with pytest.raises(InvalidToken, match="too long"):
        await verifier.verify(issuer.mint(padding="x" * 8192))


async def test_hostile_kids_cause_one_fetch(
    source: JwksServer, issuer: TestIssuer, http: httpx2.AsyncClient, clock: SetClock
) -> None:
    keys = RemoteKeySet(source.jwks_uri, http, clock)
    verifier = TokenVerifier(issuer.issuer, ACCOUNT_API, keys, clock=clock)
    for _ in range(20):
        with pytest.raises(InvalidToken):
            await verifier.verify(issuer.mint(key=SigningKey.generate()))
    assert source.fetches == 1


async def test_without_keys_nothing_is_verified(
    source: JwksServer, issuer: TestIssuer, http: httpx2.AsyncClient, clock: SetClock
) -> None:
    keys = RemoteKeySet(f"{source.jwks_uri}/nowhere", http, clock)
    with pytest.raises(KeysUnavailable):
        await TokenVerifier(issuer.issuer, ACCOUNT_API, keys, clock=clock).verify(issuer.mint())


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512"])
async def test_a_verifier_cannot_be_told_to_take(
    issuer: TestIssuer, http: httpx2.AsyncClient, algorithm: str
) -> None:
    keys = RemoteKeySet(issuer.jwks_uri, http)
    with pytest.raises(ValueError, match="asymmetric"):
        TokenVerifier(issuer.issuer, ACCOUNT_API, keys, algorithms=("ES256", algorithm))


async def test_a_refusal_quotes_nothing_of_the_token(issuer: TestIssuer, verifier: TokenVerifier) -> None:
    wrong: list[dict[str, Any]] = [{name: "secret-value"} for name in ("iss", "aud", "act")]
    for claims in wrong:
        with pytest.raises(InvalidToken) as refusal:
            await verifier.verify(issuer.mint(**claims))
        assert "secret-value" not in str(refusal.value)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"alg": "ES384"}, "algorithm"),
        ({"b64": True, "crit": ["b64"]}, "critical header"),
        ({"kid": None}, "which key"),
        ({"kid": ""}, "which key"),
        ({"kid": "k" * 257}, "which key"),
    ],
)
async def test_the_header_alone_is_reason_enough(
    issuer: TestIssuer, header: dict[str, Any], said: str
) -> None:
    """Before any key is asked for, and whatever a library would say of it later."""
    with pytest.raises(InvalidToken, match=said):
        key_id(signed(issuer, **header), ("ES256",))


@pytest.mark.parametrize(("claims", "said"), [({"iat": True}, "iat"), ({"aud": []}, "aud")])
async def test_a_claim_of_the_wrong_form_is_named(claims: dict[str, Any], said: str) -> None:
    good = {"iss": "i", "aud": ["a"], "sub": "s", "client_id": "c", "jti": "1", "iat": NOW, "exp": NOW + 300}
    assert access_token(good, "i", None, NOON).audience == ("a",)
    with pytest.raises(InvalidToken, match=f"{said} is missing or malformed"):
        access_token(good | claims, "i", None, NOON)


async def test_a_token_that_expires_while_a_body_is_read_is_good_no_more(
    issuer: TestIssuer, verifier: TokenVerifier, clock: SetClock
) -> None:
    token = await verifier.verify(issuer.delegation_token("account:read_balance"))
    verifier.check_still_good(token)
    clock.forward(seconds=300)
    with pytest.raises(InvalidToken, match="expired"):
        verifier.check_still_good(token)
