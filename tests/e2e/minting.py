"""Tokens that the target trusts, apart from the one flaw that a check gives them."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.e2e.jws import KeyPair
from tests.e2e.program import Program
from tests.e2e.verdict import UnsoundRun

Sign = Callable[[dict[str, Any], dict[str, Any]], str]
"""Signs a header and claims with a key that the target trusts; a header of None is left out."""

LIFE_SECONDS: Final = 300


class Minter:
    """Mints tokens in the name of one issuer."""

    def __init__(self, sign: Sign, issuer: str) -> None:
        self._sign = sign
        self.issuer = issuer

    def mint(self, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
        """Sign claims; `iss`, `iat`, `exp` and `jti` are added. A claim or header of None is left out."""
        return self._sign(
            {"typ": "at+jwt"} | dict(header or {}),
            complete({"iss": self.issuer} | dict(claims)),
        )


def complete(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return claims with `iat`, `exp` and `jti`, unless they are there; those of None are left out."""
    now = int(time.time())
    default = {"iat": now, "exp": now + LIFE_SECONDS, "jti": secrets.token_urlsafe(12)}
    return {name: value for name, value in (default | dict(claims)).items() if value is not None}


def private_key(pem: str, name: str) -> KeyPair:
    """Read a private P-256 key.

    Raises:
        UnsoundRun: it is none; `name` is the variable that holds it.
    """
    try:
        key = load_pem_private_key(pem.replace("\\n", "\n").encode(), None)
    except (ValueError, TypeError) as error:
        raise UnsoundRun(f"{name} must hold a private key in PEM, without a password") from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise UnsoundRun(f"{name} must hold a P-256 key: the suite signs with ES256")
    return KeyPair(key)


class MintingProgram:
    """A program that mints: started once, a line of JSON in, a line with a token out."""

    def __init__(self, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._program = Program("minting.command", command, environment)

    def __call__(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """Ask for a token.

        Raises:
            UnsoundRun: the program has ended, is silent, or answers something else.
        """
        try:
            line = self._program.ask(json.dumps({"header": header, "claims": claims}))
        except BrokenPipeError as error:
            raise UnsoundRun("minting.command has ended; see what it printed above") from error
        if line.count(".") != 2:
            raise UnsoundRun("minting.command answers no token; see what it printed above")
        return line

    def close(self) -> None:
        """End the program."""
        self._program.close()
