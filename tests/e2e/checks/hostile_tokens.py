"""Tokens that an attacker makes, with no help of the issuer (RFC 8725 §3.1, §3.10)."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.exceptions import PyJWTError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.e2e.check import check
from tests.e2e.checks.resource_tokens import REFUSED
from tests.e2e.jws import KeyPair, claims_of, compact, header_of, hs256, unsigned
from tests.e2e.minting import complete
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun
from tests.serving import serve

_TYPE: Final = {"typ": "at+jwt"}


def _claims(target: Target) -> dict[str, Any]:
    """Return the claims of a good token, its times and identifier new: what is refused is the signature."""
    claims = claims_of(target.resource.token())
    if not claims:
        raise NotRun("It takes good tokens that can be read: opaque ones have no signature to forge.")
    return complete({n: v for n, v in claims.items() if n not in {"iat", "nbf", "exp", "jti"}})


def _real_kid(target: Target) -> str:
    """Return the kid of the key that the resource trusts."""
    return str(header_of(target.resource.token()).get("kid", "key-1"))


def _send(target: Target, token: str, what: str) -> None:
    target.expect.denied(target.resource.call(target.resource.read, token), what, REFUSED)


@check("RS-52")
def unsigned_tokens_are_refused(target: Target) -> None:
    """Send good claims under alg none in several spellings, and with an empty signature under ES256."""
    for alg in ("none", "None", "NONE", "nOnE", "", "ES256"):
        header = _TYPE | {"alg": alg, "kid": _real_kid(target)}
        _send(target, compact(header, _claims(target), unsigned), f"an unsigned token of alg {alg!r}")


@check("RS-53")
def public_keys_are_no_secrets(target: Target) -> None:
    """Authenticate good claims with HMAC, keyed with the public key in each form that it is loaded in."""
    jwk = _public_jwk(target)
    try:
        key = jwt.PyJWK(jwk).key
    except (PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise NotRun("It takes a public key in the issuer's JWK set; what stands there is none.") from error
    if not hasattr(key, "public_bytes"):
        raise NotRun("It takes a public key in the issuer's JWK set; what stands there is none.")
    forms = {
        "PEM": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "PEM without its last line break": key.public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ).strip(),
        "DER": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "a JWK": json.dumps(jwk, separators=(",", ":")).encode(),
        "nothing": b"",
    }
    for form, secret in forms.items():
        header = _TYPE | {"alg": "HS256", "kid": jwk.get("kid", "key-1")}
        _send(
            target,
            compact(header, _claims(target), hs256(secret)),
            f"a token keyed with the public key as {form}",
        )


def _public_jwk(target: Target) -> dict[str, Any]:
    if target.key_server:
        return target.key_server.public_jwk
    if target.file.authorization_server:
        address = target.authorization_server.endpoint("jwks_uri")
        keys = target.wire.get(address).listed("keys")
        kid = _real_kid(target)
        return next((one for one in keys if one.get("kid") == kid), keys[0] if keys else {})
    raise NotRun(
        "It takes the public key that the resource trusts: minting.jwks_listen, or [authorization_server]."
    )


@check("RS-54")
def keys_that_a_token_brings_are_not_used(target: Target) -> None:
    """Sign with a key of the attacker's own, which the token brings, or points to.

    That nothing is fetched is seen where the resource can reach the suite's own address.
    """
    attacker, fetches = KeyPair(), []
    certificate = _self_signed(attacker)

    async def answer(request: Request) -> Response:
        fetches.append(request.url.path)
        if request.url.path == "/certificate":
            return Response(
                certificate.public_bytes(Encoding.PEM), media_type="application/pem-certificate-chain"
            )
        return JSONResponse({"keys": [attacker.public_jwk]})

    with serve(Starlette(routes=[Route("/{path:path}", answer)])) as url:
        for kid in (attacker.kid, _real_kid(target)):
            for brought in (
                {"jwk": attacker.public_jwk | {"kid": kid}},
                {"jku": f"{url}/jwks"},
                {"x5u": f"{url}/certificate"},
                {"x5c": [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()]},
                {"iss": target.resource.issuer},
            ):
                token = attacker.sign(_TYPE | {"kid": kid} | brought, _claims(target))
                _send(
                    target,
                    token,
                    f"a token of the attacker's own key, with {' '.join(brought)} in its header",
                )
    target.expect.that("the attacker's address", "not to be asked for keys", fetches, holds=not fetches)


def _self_signed(key: KeyPair) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "attacker.example.net")])
    now = datetime.now(UTC)
    unsigned_certificate = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.private_key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=1),
    )
    return unsigned_certificate.sign(key.private_key, SHA256())
