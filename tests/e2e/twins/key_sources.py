"""Twins that take keys from where a token says, or ask for the issuer's more often than they should."""

import base64
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import jwt
from cryptography import x509

from delegation.clock import utc_now
from delegation.jwks import RemoteKeySet
from delegation.token import AccessToken
from delegation.verification import TokenVerifier, access_token
from tests.e2e.in_process import InProcess
from tests.e2e.jws import header_of
from tests.e2e.twins.twin import twin


@twin("RS-54", "verifies with the key of the certificate that the token brings")
def trusts_any_certificate(_stack: InProcess) -> AbstractContextManager[object]:
    """Verify a token by x5c, and ask nobody who signed the certificate."""
    verify = TokenVerifier.verify

    async def by_its_own_certificate(self: TokenVerifier, encoded: str) -> AccessToken:
        chain = header_of(encoded).get("x5c")
        if not chain:
            return await verify(self, encoded)
        key: Any = x509.load_der_x509_certificate(base64.b64decode(chain[0])).public_key()
        claims = jwt.decode(encoded, key, algorithms=["ES256"], options={"verify_aud": False})
        return access_token(claims, self.issuer, self.audience, utc_now())

    return patch.object(TokenVerifier, "verify", by_its_own_certificate)


@twin("RS-55", "asks for the issuer's keys with every token of an unknown kid")
def asks_for_keys_each_time(_stack: InProcess) -> AbstractContextManager[object]:
    """Wait for nothing between two looks at the keys."""

    async def fetch(self: RemoteKeySet, _kid: str | None) -> None:
        keys = await self._fetch()
        if keys is not None:
            self._keys, self._fetched_at = keys, utc_now()

    return patch.object(RemoteKeySet, "_fetch_if_due", fetch)
