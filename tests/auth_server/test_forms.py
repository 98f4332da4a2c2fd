"""Forms are read as `urllib.parse.parse_qsl` reads them, and no character comes through that it refuses."""

from contextlib import suppress
from urllib.parse import parse_qsl, urlencode

import pytest
from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from hypothesis import example, given
from hypothesis import strategies as st

from auth_server.oauth_request import parse_parameters
from delegation.client_assertion import ASSERTION_TYPE
from delegation.token_exchange import ACCESS_TOKEN_TYPE, GRANT_TYPE

_PIECES = st.sampled_from(
    ["&", "=", "+", "%", "%2", "%20", "%C3%A9", "%c3", "%00", "%zz", "a", "scope", " ", ";"]
)


def by_the_library(encoded: str) -> list[tuple[str, str]] | None:
    try:
        return parse_qsl(encoded, errors="strict", max_num_fields=64)
    except ValueError:
        return None


@given(st.lists(_PIECES, max_size=40).map("".join))
@example("a=1&b&=2&c=&d=x=y&&")
@example("&".join(["resource=a"] * 64))
@example("&".join(["resource=a"] * 65))
def test_what_is_taken_is_read_as_the_library_reads_it(encoded: str) -> None:
    with suppress(OAuth2Error):
        assert parse_parameters(encoded) == by_the_library(encoded)
    if by_the_library(encoded) is None:
        with pytest.raises(InvalidRequestError):
            parse_parameters(encoded)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
        max_size=5,
    )
)
@example(
    {
        "grant_type": GRANT_TYPE,
        "subject_token_type": ACCESS_TOKEN_TYPE,
        "client_assertion_type": ASSERTION_TYPE,
    }
)
def test_what_is_encoded_comes_out_again(form: dict[str, str]) -> None:
    with suppress(OAuth2Error):  # a character that the parameter may not have
        assert dict(parse_parameters(urlencode(form))) == form
