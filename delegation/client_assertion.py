"""Client authentication with a signed assertion, `private_key_jwt` (RFC 7523 §2.2)."""

import secrets
from datetime import timedelta
from typing import Final

from delegation.clock import Clock, utc_now
from delegation.signing_key import SigningKey

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFE: Final = timedelta(seconds=60)


def client_assertion(key: SigningKey, client_id: str, issuer: str, clock: Clock = utc_now) -> str:
    """Return an assertion that authenticates `client_id` to `issuer` once, within a minute.

    Its only audience is the issuer's identifier, so that no other server can use it (rfc7523bis §4).
    """
    now = clock()
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": secrets.token_urlsafe(16),
        "iat": int(now.timestamp()),
        "exp": int((now + _LIFE).timestamp()),
    }
    return key.sign(claims, typ="client-authentication+jwt")


def assertion_parameters(
    key: SigningKey, client_id: str, issuer: str, clock: Clock = utc_now
) -> dict[str, str]:
    """Return the form parameters that authenticate the client at any endpoint of the issuer."""
    return {
        "client_id": client_id,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": client_assertion(key, client_id, issuer, clock),
    }
