"""A service's own key pair: made by itself at its first start, kept in its data folder, never leaving it."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from delegation.secret_file import write_once

ALGORITHM: Final = "ES256"
_JSON: Final = json.JSONEncoder(separators=(",", ":"))


class SigningKey:
    """An ES256 key pair (RFC 7518 §3.4) whose `kid` is its thumbprint (RFC 7638)."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey) -> None:
        # Parsed once: reading a PEM for every signature is two orders of magnitude slower.
        self.private_key = private_key
        jwk = ECKey.import_key(self._pem())
        self.kid: str = jwk.thumbprint()
        self.public_jwk: dict[str, Any] = {
            **jwk.as_dict(private=False),
            "kid": self.kid,
            "use": "sig",
            "alg": ALGORITHM,
        }
        self.public = jwt.PyJWK(self.public_jwk)
        self._headers: dict[str, str] = {}

    @classmethod
    def generate(cls) -> Self:
        """Make a new key pair, in memory only."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key pair from a PEM file.

        Raises:
            ValueError: the file holds no private P-256 key.
        """
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError(f"{path} holds no P-256 private key")
        return cls(key)

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """Read the key pair from `path`, or make it there: mode 0600, whole or not at all."""
        if not path.exists():
            cls.generate().save(path)
        return cls.load(path)

    def save(self, path: Path) -> None:
        """Write the key pair to `path`, unless another process was first: then its key stays."""
        write_once(path, self._pem())

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """Return the claims as a signed JWT with this `typ` (RFC 7515 §3.1)."""
        header = self._headers.get(typ)
        if header is None:  # always the same text, for the few `typ` that there are
            header = self._headers[typ] = _part({"alg": ALGORITHM, "kid": self.kid, "typ": typ})
        signing_input = f"{header}.{_part(claims)}"
        signature = self.public.Algorithm.sign(signing_input.encode(), self.private_key)
        return f"{signing_input}.{_base64url(signature)}"

    def as_joserfc(self) -> ECKey:
        """Return the private key in the form that Authlib hands to joserfc."""
        return ECKey.import_key(self._pem(), {"kid": self.kid})

    def _pem(self) -> bytes:
        return self.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def _part(value: Mapping[str, Any]) -> str:
    return _base64url(_JSON.encode(dict(value)).encode())


def _base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def jwk_set(*keys: SigningKey) -> dict[str, Any]:
    """Return the public halves as a JWK set (RFC 7517 §5)."""
    return {"keys": [key.public_jwk for key in keys]}
