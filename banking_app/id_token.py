"""What the authorization server says about who signed on (OpenID Connect Core §3.1.3.7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

_CLOCK_SKEW_SECONDS: Final = 30


class InvalidIdToken(Exception):
    """The ID token proves nothing. The message names the check that failed, never a value."""


@dataclass(frozen=True, slots=True)
class ExpectedIdToken:
    """What an ID token must say to be taken for the answer to our own request."""

    issuer: str
    client_id: str
    nonce: str
    algorithm: str


def verified_claims(
    id_token: str,
    jwks: Mapping[str, Any],
    expected: ExpectedIdToken,
    access_token: str,
    now: datetime,
) -> dict[str, Any]:
    """Return the claims of an ID token after checking signature, iss, aud, azp, nonce, exp, iat and at_hash.

    `at_hash` is checked when it is there: the code flow leaves it optional (§3.1.3.6). `acr` and `auth_time`
    are left unchecked, because the sign-on request asks for neither.

    Raises:
        InvalidIdToken: any check failed.
    """
    try:
        token = jwt.decode(
            id_token, KeySet.import_key_set(cast("KeySetSerialization", jwks)), [expected.algorithm]
        )
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": expected.issuer},
                "aud": {"essential": True, "value": expected.client_id},
            },
            params={
                "client_id": expected.client_id,
                "nonce": expected.nonce,
                "access_token": access_token,
            },
        )
        claims.validate(now=int(now.timestamp()), leeway=_CLOCK_SKEW_SECONDS)
    except JoseError as error:
        raise InvalidIdToken(f"the ID token was not accepted: {error.description or error.error}") from None
    except (ValueError, TypeError, KeyError):
        raise InvalidIdToken("the ID token or the key set is malformed") from None
    if not claims.get("sub"):
        raise InvalidIdToken("the ID token names no subject")
    return dict(claims)
