"""A token that was verified before: not verified again, and good for not a moment longer than any other."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import httpx2
import pytest

from delegation import verification
from delegation.bearer import InvalidToken
from delegation.jwks import RemoteKeySet
from delegation.revocations import NewsUnavailable, Revocations
from delegation.security_event import Ended
from delegation.signing_key import SigningKey
from delegation.verification import TokenVerifier
from tests.clock import SetClock
from tests.issuer import ACCOUNT_API, TestIssuer
from tests.jwks_server import JwksServer

pytestmark = pytest.mark.asyncio
SCOPE = "account:read_balance"
Signatures = list[str]
New = Callable[..., TokenVerifier]


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> Signatures:
    """The tokens whose signatures were verified, in order."""
    verified: Signatures = []
    real = verification.signed_claims

    def noted(encoded: str, *arguments: Any) -> dict[str, Any]:
        verified.append(encoded)
        return real(encoded, *arguments)

    monkeypatch.setattr(verification, "signed_claims", noted)
    return verified


@pytest.fixture
def own_issuer(source: JwksServer, clock: SetClock) -> TestIssuer:
    """An issuer whose keys the test changes: those of `source`."""
    issuer = TestIssuer(clock=clock)
    source.keys = [issuer.key]
    return issuer


@pytest.fixture
def new(own_issuer: TestIssuer, source: JwksServer, http: httpx2.AsyncClient, clock: SetClock) -> New:
    """Make verifiers that share one set of keys."""
    keys = RemoteKeySet(source.jwks_uri, http, clock)

    def make(audience: str = ACCOUNT_API, **changes: Any) -> TokenVerifier:
        return TokenVerifier(
            own_issuer.issuer, audience, keys, clock=clock, **{"verified_tokens": 100} | changes
        )

    return make


async def test_a_signature_is_verified_once(new: New, own_issuer: TestIssuer, signatures: Signatures) -> None:
    verifier, encoded = new(), own_issuer.delegation_token(SCOPE)
    first = await verifier.verify(encoded)
    assert [await verifier.verify(encoded) for _ in range(3)] == [first] * 3
    assert signatures == [encoded]


async def test_none_is_remembered_unless_that_is_asked_for(
    new: New, own_issuer: TestIssuer, signatures: Signatures
) -> None:
    verifier, encoded = new(verified_tokens=0), own_issuer.delegation_token(SCOPE)
    for _ in range(2):
        await verifier.verify(encoded)
    assert signatures == [encoded] * 2


async def test_it_does_not_outlive_the_token(new: New, own_issuer: TestIssuer, clock: SetClock) -> None:
    verifier, encoded = new(), own_issuer.delegation_token(SCOPE)
    await verifier.verify(encoded)
    clock.forward(seconds=299)
    await verifier.verify(encoded)
    clock.forward(seconds=1)
    with pytest.raises(InvalidToken, match="expired"):
        await verifier.verify(encoded)


async def test_a_clock_that_is_set_back_makes_a_token_not_valid_yet(
    new: New, own_issuer: TestIssuer, clock: SetClock
) -> None:
    verifier, encoded = new(), own_issuer.delegation_token(SCOPE)
    await verifier.verify(encoded)
    clock.forward(seconds=-60)
    with pytest.raises(InvalidToken, match="not valid yet"):
        await verifier.verify(encoded)


async def test_it_does_not_outlive_a_revocation_or_the_news_of_them(
    new: New, own_issuer: TestIssuer, clock: SetClock
) -> None:
    revocations = Revocations(timedelta(seconds=10), clock, lambda: clock().timestamp())
    revocations.heard(revocations.now())
    verifier, encoded = new(revocations=revocations), own_issuer.delegation_token(SCOPE)
    other = own_issuer.delegation_token(SCOPE)
    token = await verifier.verify(encoded)
    await verifier.verify(other)
    revocations.add(Ended(time=clock(), jti=token.jti))
    with pytest.raises(InvalidToken, match="revoked"):
        await verifier.verify(encoded)
    await verifier.verify(other)
    clock.forward(seconds=10)
    with pytest.raises(NewsUnavailable):
        await verifier.verify(other)


async def test_it_does_not_outlive_the_key_that_signed_it(
    new: New, own_issuer: TestIssuer, source: JwksServer, clock: SetClock
) -> None:
    verifier, encoded = new(), own_issuer.mint(life=900)
    await verifier.verify(encoded)
    source.keys = [SigningKey.generate()]
    clock.forward(minutes=5)  # until then keys serve without a look at their source
    with pytest.raises(InvalidToken, match="a key that the issuer does not have"):
        await verifier.verify(encoded)


async def test_another_key_under_the_same_name_is_another_key(
    new: New,
    own_issuer: TestIssuer,
    source: JwksServer,
    clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verifier, encoded = new(), own_issuer.mint(life=900)
    await verifier.verify(encoded)
    impostor = SigningKey.generate()
    monkeypatch.setitem(impostor.public_jwk, "kid", own_issuer.key.kid)
    source.keys = [impostor]
    clock.forward(minutes=5)
    with pytest.raises(InvalidToken, match="signature"):
        await verifier.verify(encoded)


async def test_keys_that_are_fetched_again_and_are_the_same_end_nothing(
    new: New, own_issuer: TestIssuer, source: JwksServer, clock: SetClock, signatures: Signatures
) -> None:
    verifier, encoded = new(), own_issuer.mint(life=900)
    await verifier.verify(encoded)
    clock.forward(minutes=5)
    await verifier.verify(encoded)
    assert (source.fetches, signatures) == (2, [encoded])


async def test_it_is_good_for_the_audience_that_it_was_verified_for(new: New, own_issuer: TestIssuer) -> None:
    encoded = own_issuer.delegation_token(SCOPE)
    await new().verify(encoded)
    with pytest.raises(InvalidToken, match="another audience"):
        await new("https://other.api.example.com").verify(encoded)


async def test_only_the_very_same_token_is_known_again(new: New, own_issuer: TestIssuer) -> None:
    verifier, encoded = new(), own_issuer.delegation_token(SCOPE)
    await verifier.verify(encoded)
    head, claims, signature = encoded.split(".")
    wider = own_issuer.delegation_token("account:transfer").split(".")[1]
    other = own_issuer.delegation_token(SCOPE).split(".")[2]
    for forged in (f"{head}.{wider}.{signature}", f"{head}.{claims}.{other}", f"{head}.{claims}."):
        for _ in range(2):
            with pytest.raises(InvalidToken):
                await verifier.verify(forged)


async def test_as_many_are_remembered_as_were_asked_for_and_the_last_used_stay(
    new: New, own_issuer: TestIssuer, signatures: Signatures
) -> None:
    verifier = new(verified_tokens=3)
    tokens = [own_issuer.delegation_token(SCOPE) for _ in range(4)]
    for number in (0, 1, 2, 0, 3, 0, 2, 1):
        await verifier.verify(tokens[number])
    assert [tokens.index(one) for one in signatures] == [0, 1, 2, 3, 1]


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_happens_who_remembers_says_what_who_does_not_says(
    seed: int, new: New, own_issuer: TestIssuer, source: JwksServer, clock: SetClock
) -> None:
    """Tokens good and bad, in any order, while time passes and is set back, keys go and come, tokens end."""
    random = Random(seed)
    revocations = Revocations(timedelta(days=1), clock, lambda: 0.0)
    revocations.heard(revocations.now())
    verifiers = [new(revocations=revocations, verified_tokens=most) for most in (5, 0)]
    keys, tokens, told = [own_issuer.key, SigningKey.generate()], list[str](), set[str]()
    for _ in range(150):
        tokens.append(
            own_issuer.mint(
                key=random.choice(keys),
                life=random.choice([0, 20, 300]),
                aud=random.choice([ACCOUNT_API] * 3 + ["https://other.example"]),
                nbf=int(clock().timestamp()) + random.choice([0, 0, 60]),
            )
        )
        clock.forward(seconds=random.choice([0, 1, 5, 30, -20, 301]))
        source.keys = random.choice([keys, keys[:1], keys[1:]])
        for encoded in random.choices(tokens[-8:], k=6):
            said = [await _said(verifier, encoded) for verifier in verifiers]
            assert said[0] == said[1]
            told.add(said[0].partition(":")[0])
            if said[0].startswith("good") and random.random() < 0.1:
                revocations.add(Ended(time=clock(), jti=said[0].partition(":")[2]))
    assert len(told) >= 4, "it was about too little"


async def _said(verifier: TokenVerifier, encoded: str) -> str:
    try:
        return f"good:{(await verifier.verify(encoded)).jti}"
    except InvalidToken as error:
        return str(error)
