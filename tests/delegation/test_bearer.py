"""How a bearer token arrives, and how it is refused: RULES 60-62; RFC 6750 §2, §3, RFC 9728 §5.1."""

import pytest

from delegation.bearer import (
    BearerError,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    bearer_token,
)
from delegation.scope import Scope


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "BEARER abc", "Bearer   abc "])
def test_the_token_is_what_follows_the_scheme(value: str) -> None:
    assert bearer_token([value], {}) == "abc"


@pytest.mark.parametrize(
    "values", [[], [""], ["Bearer"], ["Bearer "], ["Basic abc"], ["abc"], ["Bearerabc"], ["Bearer\tabc"]]
)
def test_no_token_is_missing_with(values: list[str]) -> None:
    with pytest.raises(MissingToken):
        bearer_token(values, {})


def test_two_authorization_fields_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        bearer_token(["Bearer abc", "Bearer abc"], {})


@pytest.mark.parametrize("values", [[], ["Bearer abc"]])
def test_a_token_in_the_query_is_refused(values: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        bearer_token(values, {"access_token": "abc"})


@pytest.mark.parametrize(
    ("error", "status", "challenge"),
    [
        (MissingToken("m"), 401, 'Bearer resource_metadata="https://r/m"'),
        (
            InvalidToken("Expired."),
            401,
            'Bearer error="invalid_token", error_description="Expired.", resource_metadata="https://r/m"',
        ),
        (
            InvalidRequest("Twice."),
            400,
            'Bearer error="invalid_request", error_description="Twice.", resource_metadata="https://r/m"',
        ),
        (
            InsufficientScope("Narrow.", Scope({"b", "a"})),
            403,
            'Bearer error="insufficient_scope", error_description="Narrow.", scope="a b", '
            'resource_metadata="https://r/m"',
        ),
    ],
)
def test_the_challenge_says_what_to_do(error: BearerError, status: int, challenge: str) -> None:
    assert error.status == status
    assert error.challenge("https://r/m") == challenge


def test_a_challenge_cannot_be_broken_out_of() -> None:
    challenge = InvalidToken('a", realm="x\r\nSet-Cookie: y\\é').challenge()
    assert challenge == 'Bearer error="invalid_token", error_description="a, realm=xSet-Cookie: y"'
