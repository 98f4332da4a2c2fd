"""Compact JWS by hand (RFC 7515 §7.1): a library would refuse to make most of what the checks send."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from delegation.signing_key import SigningKey

Signature = Callable[[bytes], bytes]


def compact(header: Mapping[str, Any], claims: Any, signature: Signature) -> str:
    """Return header and claims, signed."""
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(signature(signed.encode()))}"


def b64(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class KeyPair:
    """An ES256 key pair of the suite's own, or one that it was lent."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self.private_key = private_key or ec.generate_private_key(ec.SECP256R1())
        self.signing_key = SigningKey(self.private_key)
        self.kid = self.signing_key.kid
        self.public_jwk = self.signing_key.public_jwk

    def signature(self, data: bytes) -> bytes:
        """Sign with ES256 (RFC 7518 §3.4)."""
        r, s = decode_dss_signature(self.private_key.sign(data, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def sign(self, header: Mapping[str, Any], claims: Any) -> str:
        """Return a token; a header of None is left out."""
        full = {"alg": "ES256", "kid": self.kid} | dict(header)
        return compact({n: v for n, v in full.items() if v is not None}, claims, self.signature)


def unsigned(_data: bytes) -> bytes:
    """Return no signature at all (RFC 7518 §3.6)."""
    return b""


def hs256(key: bytes) -> Signature:
    """Return how to authenticate with HMAC and this key."""
    return lambda data: hmac.digest(key, data, "sha256")


def header_of(token: str) -> dict[str, Any]:
    """Return a token's JOSE header; empty if it is no JWT."""
    return _part(token, 0)


def claims_of(token: str) -> dict[str, Any]:
    """Return a token's claims, unverified; empty if it is no JWT."""
    return _part(token, 1)


def _part(token: str, index: int) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        value = json.loads(base64.urlsafe_b64decode(parts[index] + "=" * (-len(parts[index]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
