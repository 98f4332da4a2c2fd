"""JWTs in compact form, each part read once (RFC 7515 §3.1, §7.1).

PyJWT reads all parts twice, and looks at every character in Python. Its are the keys and the algorithms; a
test shows that what is taken here `jwt.decode` takes, too, with the same claims.
"""

import json
import re
from binascii import a2b_base64
from dataclasses import dataclass
from typing import Any, Final

from jwt import PyJWK

_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
"""Three parts without the padding that a lenient reader passes over (RFC 7515 §2).

An unsigned JWT has an empty third part: it is one, and refused for its algorithm.
"""


def jose_header(encoded: str) -> dict[str, Any]:
    """Return the JOSE header, which nobody has verified.

    Raises:
        ValueError: not a JWT.
    """
    return _object(_parts(encoded)[0])


@dataclass(frozen=True, slots=True)
class UnverifiedJwt:
    """A JWT whose parts are read, and which nobody has verified yet."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signing_input: bytes
    signature: bytes

    def verified_claims(self, key: PyJWK, algorithms: tuple[str, ...]) -> dict[str, Any]:
        """Return the claims that this key signed with its algorithm, which must be among these.

        A header that makes anything critical is refused, `b64` (RFC 7797) included.

        Raises:
            ValueError: not signed so.
        """
        header = self.header
        if header.get("alg") not in algorithms or header["alg"] != key.algorithm_name:
            raise ValueError("another algorithm")
        if (
            "crit" in header
            or header.get("b64", True) is not True
            or not isinstance(header.get("kid", ""), str)
        ):
            raise ValueError("a header that is not understood")
        if not key.Algorithm.verify(self.signing_input, key.key, self.signature):
            raise ValueError("not signed by this key")
        return self.claims


def unverified_jwt(encoded: str) -> UnverifiedJwt:
    """Return a JWT with its parts read.

    Raises:
        ValueError: not a JWT.
    """
    header, payload, signature = _parts(encoded)
    signing_input = f"{header}.{payload}".encode()
    return UnverifiedJwt(_object(header), _object(payload), signing_input, _bytes(signature))


def verified_claims(encoded: str, key: PyJWK, algorithms: tuple[str, ...]) -> dict[str, Any]:
    """Return the claims that this key signed with its algorithm, which must be among these.

    Raises:
        ValueError: not a JWT, or not signed so.
    """
    return unverified_jwt(encoded).verified_claims(key, algorithms)


def _parts(encoded: str) -> tuple[str, str, str]:
    found = _COMPACT.fullmatch(encoded)
    if found is None:
        raise ValueError("not a JWT")
    return found[1], found[2], found[3]


def _bytes(part: str) -> bytes:
    return a2b_base64(part.replace("-", "+").replace("_", "/") + "=" * (-len(part) % 4))


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(part).decode())
    except RecursionError as error:
        raise ValueError("not a JWT") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
