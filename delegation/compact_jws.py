"""JWTs in compact form, each part read once (RFC 7515 §3.1, §7.1).

PyJWT reads all parts twice, and looks at every character in Python. Its are the keys and the algorithms; a
test shows that what is taken here `jwt.decode` takes, too, with the same claims.
"""

import json
import re
from base64 import urlsafe_b64decode
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


def unverified_claims(encoded: str) -> dict[str, Any]:
    """Return the claims, which nobody has verified.

    Raises:
        ValueError: not a JWT.
    """
    return _object(_parts(encoded)[1])


def verified_claims(encoded: str, key: PyJWK, algorithms: tuple[str, ...]) -> dict[str, Any]:
    """Return the claims that this key signed with its algorithm, which must be among these.

    A header that makes anything critical is refused, `b64` (RFC 7797) included.

    Raises:
        ValueError: not a JWT, or not signed so.
    """
    header, payload, signature = _parts(encoded)
    fields = _object(header)
    if fields.get("alg") not in algorithms or fields["alg"] != key.algorithm_name:
        raise ValueError("another algorithm")
    if "crit" in fields or fields.get("b64", True) is not True or not isinstance(fields.get("kid", ""), str):
        raise ValueError("a header that is not understood")
    if not key.Algorithm.verify(f"{header}.{payload}".encode(), key.key, _bytes(signature)):
        raise ValueError("not signed by this key")
    return _object(payload)


def _parts(encoded: str) -> tuple[str, str, str]:
    found = _COMPACT.fullmatch(encoded)
    if found is None:
        raise ValueError("not a JWT")
    return found[1], found[2], found[3]


def _bytes(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(part))
    except RecursionError as error:
        raise ValueError("not a JWT") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
