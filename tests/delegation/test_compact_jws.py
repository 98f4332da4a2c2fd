"""JWTs as we read them, against PyJWT: nothing is taken that it refuses, and nothing is read otherwise."""

import base64
import json
from contextlib import suppress
from typing import Any, Final

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.exceptions import InvalidTokenError

from delegation.compact_jws import jose_header, unverified_jwt, verified_claims
from delegation.signing_key import SigningKey

_KEY: Final = SigningKey.generate()
_OTHER: Final = SigningKey.generate()
_UNCHECKED: Final[Any] = {
    f"verify_{what}": False for what in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
}
_ALGORITHMS: Final = ("ES256",)

json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
headers = st.fixed_dictionaries(
    {"alg": st.sampled_from(["ES256", "ES256", "ES256", "none", "ES384", "HS256", 7, ["ES256"]])},
    optional={"typ": json_values, "kid": st.text() | json_values, "crit": json_values, "b64": json_values},
)
payloads = st.dictionaries(st.text(), json_values) | json_values


def part(value: object) -> str:
    written = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(written).decode().rstrip("=")


def signed(header: object, payload: object, key: SigningKey = _KEY) -> str:
    """Sign anything at all, whatever its header says."""
    signing_input = f"{part(header)}.{part(payload)}"
    signature = key.public.Algorithm.sign(signing_input.encode(), key.private_key)
    return f"{signing_input}.{part(signature)}"


def by_pyjwt(token: str) -> dict[str, Any] | None:
    try:
        return jwt.decode(token, _KEY.public, algorithms=list(_ALGORITHMS), options=_UNCHECKED)
    except InvalidTokenError:
        return None


def ours(token: str) -> dict[str, Any] | None:
    try:
        return verified_claims(token, _KEY.public, _ALGORITHMS)
    except ValueError:
        return None


@given(headers, payloads)
@example({"alg": "ES256"}, {"sub": "customer@example.com", "scope": "a b"})
@example({"alg": "ES256", "crit": ["b64"], "b64": True}, {"sub": "customer@example.com"})
@example({"alg": "ES256", "b64": False}, {})
@example({"alg": "ES256", "kid": None}, {"sub": "customer@example.com"})
@example({"alg": "ES256"}, ["no", "object"])
def test_what_is_signed_is_read_as_pyjwt_reads_it(header: dict[str, Any], payload: object) -> None:
    token = signed(header, payload)
    read, theirs = ours(token), by_pyjwt(token)
    if "crit" in header or header.get("b64", True) is not True:
        assert read is None or read == theirs
    else:
        assert read == theirs


@given(st.data())
def test_a_token_with_another_character_anywhere_is_read_as_pyjwt_reads_it(data: st.DataObject) -> None:
    token = signed({"alg": "ES256", "typ": "at+jwt", "kid": _KEY.kid}, {"sub": "customer@example.com"})
    place = data.draw(st.integers(0, len(token)))
    instead = data.draw(st.sampled_from("AQgw-_.=+/ \n\0é") | st.characters())
    changed = token[:place] + instead + token[place + data.draw(st.integers(0, 1)) :]
    read = ours(changed)
    assert read is None or read == by_pyjwt(changed)


@given(st.text() | st.lists(st.text(), min_size=3, max_size=3).map(".".join))
def test_whatever_is_sent_raises_nothing_but_a_value_error(text: str) -> None:
    for read in (jose_header, unverified_jwt):
        with suppress(ValueError):
            read(text)
    assert ours(text) is None


@pytest.mark.parametrize(
    "token",
    [
        signed({"alg": "ES256"}, {}, _OTHER),
        signed({"alg": "ES256"}, {}).rpartition(".")[0] + ".",
        signed({"alg": "none"}, {}).rpartition(".")[0] + ".",
        signed({"alg": "HS256"}, {}),
        signed({"alg": "ES256"}, {}) + "=",
        signed({"alg": "ES256"}, {}) + ".AAAA",
        signed({"alg": "ES256"}, b"[" * 100_000),
        signed(b"\xff", {}),
        signed({"alg": "ES256"}, b'{"sub": "\xff"}'),
    ],
    ids=[
        *("another key", "no signature", "unsigned", "another algorithm", "padding", "a fourth part"),
        *("nested without end", "a header that is no text", "claims that are no text"),
    ],
)
def test_what_is_not_rightly_signed_is_refused(token: str) -> None:
    assert ours(token) is None


def test_a_key_is_taken_for_its_own_algorithm_alone() -> None:
    assert ours(signed({"alg": "ES256"}, {"sub": "x"})) == {"sub": "x"}
    with pytest.raises(ValueError, match="algorithm"):
        verified_claims(signed({"alg": "ES384"}, {}), _KEY.public, ("ES256", "ES384"))
