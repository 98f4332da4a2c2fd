"""Tokens that were verified already: what they say need not be found out again for each call."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from jwt import PyJWK

from delegation.token import AccessToken


@dataclass(frozen=True, slots=True)
class Verified:
    """A token, the key that signed it and its `kid`, and when it was verified."""

    token: AccessToken
    key: PyJWK
    kid: str
    at: datetime

    def holds(self, key: PyJWK | None, now: datetime) -> bool:
        """Tell whether to verify it again would find the same: by what the issuer's key is now, and the time.

        A clock that was set back makes us verify again: then a token may be not valid yet.
        """
        return key is self.key and self.at <= now < self.token.expires_at


class VerifiedTokens:
    """The verified tokens that were asked for last, `capacity` of them, by their SHA-256: no token is kept.

    They belong to one verifier, so to one issuer and one audience. Left to who asks: whether the token still
    `holds`, and whether it was revoked.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._found: OrderedDict[bytes, Verified] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._found)

    def get(self, encoded: str) -> Verified | None:
        """Return what was found when this very token was verified."""
        digest = _digest(encoded)
        found = self._found.get(digest)
        if found is not None:
            self._found.move_to_end(digest)
        return found

    def add(self, encoded: str, verified: Verified) -> None:
        """Keep what was found; the one that nobody has asked for longest goes."""
        digest = _digest(encoded)
        self._found[digest] = verified
        self._found.move_to_end(digest)
        if len(self._found) > self._capacity:
            self._found.popitem(last=False)


def _digest(encoded: str) -> bytes:
    return sha256(encoded.encode(errors="surrogatepass")).digest()
