"""A service's own key pair: made by itself at its first start, kept in its data folder, never leaving it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from delegation.secret_file import write_once

ALGORITHM: Final = "ES256"


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
        """Return the claims as a signed JWT with this `typ`."""
        return jwt.encode(dict(claims), self.private_key, ALGORITHM, headers={"typ": typ, "kid": self.kid})

    def as_joserfc(self) -> ECKey:
        """Return the private key in the form that Authlib hands to joserfc."""
        return ECKey.import_key(self._pem(), {"kid": self.kid})

    def _pem(self) -> bytes:
        return self.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def jwk_set(*keys: SigningKey) -> dict[str, Any]:
    """Return the public halves as a JWK set (RFC 7517 §5)."""
    return {"keys": [key.public_jwk for key in keys]}
