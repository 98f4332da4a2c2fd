"""A token's `authorization_details` (RFC 9396): one type, read whole or refused."""

from typing import Any

import httpx2
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegation.authorization_details import AccountTransfer
from delegation.bearer import InvalidToken
from delegation.jwks import RemoteKeySet
from delegation.verification import TokenVerifier
from tests.clock import SetClock
from tests.issuer import ACCOUNT_API, TestIssuer

LIMIT = {"type": "account_transfer", "max_amount_minor": 5000}
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.just("account_transfer"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "max_amount_minor", "actions"]), inner)
    ),
    max_leaves=6,
)


@pytest.fixture
def verifier(issuer: TestIssuer, http: httpx2.AsyncClient, clock: SetClock) -> TokenVerifier:
    keys = RemoteKeySet(issuer.jwks_uri, http, clock)
    return TokenVerifier(issuer.issuer, ACCOUNT_API, keys, clock=clock)


@pytest.mark.asyncio
@pytest.mark.parametrize("most", [1, 2**53 - 1])
async def test_a_tokens_limit_becomes_a_type(issuer: TestIssuer, verifier: TokenVerifier, most: int) -> None:
    claims = [LIMIT | {"max_amount_minor": most}]
    token = await verifier.verify(issuer.delegation_token("a", authorization_details=claims))
    assert token.account_transfer == AccountTransfer(most)
    assert token.account_transfer.as_claim() == claims


@pytest.mark.asyncio
async def test_a_token_without_authorization_details_has_no_limit(
    issuer: TestIssuer, verifier: TokenVerifier
) -> None:
    assert (await verifier.verify(issuer.delegation_token("a"))).account_transfer is None


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "details",
    [
        pytest.param("account_transfer", id="a text"),
        pytest.param(LIMIT, id="an object without its array"),
        pytest.param([], id="an empty array"),
        pytest.param(["account_transfer"], id="an array of texts"),
        pytest.param([LIMIT, LIMIT], id="the type twice"),
        pytest.param([LIMIT, {"type": "payment_initiation"}], id="a known type and an unknown one"),
        pytest.param([{"type": "payment_initiation", "max_amount_minor": 5000}], id="an unknown type"),
        pytest.param([{"max_amount_minor": 5000}], id="no type"),
        pytest.param([{"type": ["account_transfer"], "max_amount_minor": 5000}], id="a list of types"),
        pytest.param([{"type": "account_transfer"}], id="no limit"),
        pytest.param([LIMIT | {"max_amount_minor": "5000"}], id="a limit that is text"),
        pytest.param([LIMIT | {"max_amount_minor": 5000.0}], id="a limit with a fraction"),
        pytest.param([LIMIT | {"max_amount_minor": True}], id="a limit that is true"),
        pytest.param([LIMIT | {"max_amount_minor": None}], id="a limit of null"),
        pytest.param([LIMIT | {"max_amount_minor": 0}], id="a limit of nothing"),
        pytest.param([LIMIT | {"max_amount_minor": -1}], id="a limit below nothing"),
        pytest.param([LIMIT | {"max_amount_minor": 2**53}], id="a limit that not every reader takes"),
        pytest.param([LIMIT | {"locations": [ACCOUNT_API]}], id="a member that is not understood"),
    ],
)
async def test_a_token_is_refused_whose_authorization_details_are(
    issuer: TestIssuer, verifier: TokenVerifier, details: Any
) -> None:
    for token in (
        issuer.delegation_token("account:transfer", authorization_details=details),
        issuer.app_token(authorization_details=details),
    ):
        with pytest.raises(InvalidToken, match="authorization_details are malformed, or of a type"):
            await verifier.verify(token)


@pytest.mark.asyncio
async def test_a_token_is_refused_whose_authorization_details_are_null(
    issuer: TestIssuer, verifier: TokenVerifier
) -> None:
    claims = jwt.decode(issuer.delegation_token("account:transfer"), options={"verify_signature": False})
    with pytest.raises(InvalidToken, match="authorization_details"):
        await verifier.verify(issuer.key.sign(claims | {"authorization_details": None}, "at+jwt"))


@given(json_values)
def test_whatever_is_claimed_is_a_limit_or_refused(value: Any) -> None:
    try:
        limit = AccountTransfer.from_claim(value)
    except ValueError:
        return
    assert limit.as_claim() == value
