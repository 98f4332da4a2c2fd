"""Any text at all, taken for a token, is at most an invalid one: no other exception leaves the verifier."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegation.bearer import InvalidToken
from delegation.verification import key_id


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(st.text() | st.lists(st.text(), min_size=3, max_size=3).map(".".join))
def test_whatever_is_sent_is_at_most_an_invalid_token(text: str) -> None:
    with pytest.raises(InvalidToken):
        key_id(text, ("ES256",))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "b64", "zip"]), json_values))
def test_whatever_the_header_says_is_at_most_an_invalid_token(header: dict[str, Any]) -> None:
    token = f"{encoded(header)}.{encoded({})}.AAAA"
    try:
        kid = key_id(token, ("ES256",))
    except InvalidToken:
        return
    assert header["alg"] == "ES256"
    assert header["kid"] == kid
