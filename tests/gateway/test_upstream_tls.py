"""A resource behind TLS: it is the one that UPSTREAM_URL names, by an authority that this machine trusts."""

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from delegation.clock import utc_now
from gateway.upstream import Unreachable, Upstream

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + 100_000 * b"x"


def certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuers_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """Return a certificate for a DNS name, by `issuer`; an authority's own if that is the name itself."""

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    is_authority = subject == issuer
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(hours=1))
        .not_valid_after(utc_now() + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuers_key, hashes.SHA256())
    )


def authority_and_server(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Make an authority, and a server's certificate for `name` by it; returns the authority's file."""
    authoritys_key, servers_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate("authority", authoritys_key, "authority", authoritys_key)
    servers = certificate(name, servers_key, "authority", authoritys_key)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    trusted, chain = folder / "authority.pem", folder / "server.pem"
    trusted.write_bytes(authority.public_bytes(pem))
    chain.write_bytes(
        servers_key.private_bytes(pem, pkcs8, serialization.NoEncryption()) + servers.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return trusted, context


def lengths_of_answers(context: ssl.SSLContext, calls: int) -> tuple[list[int], int]:
    """Call a resource at https://localhost so many times; returns lengths, and how often it was connected."""
    return asyncio.run(_called(context, calls))


async def _called(context: ssl.SSLContext, calls: int) -> tuple[list[int], int]:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    found = []
    limits = {"connect_timeout_seconds": 5.0, "read_timeout_seconds": 5.0}
    try:
        async with Upstream(url, max_connections=1, **limits) as upstream:
            for _ in range(calls):
                async with upstream.answer("GET", "/") as answer:
                    found.append(len(b"".join([piece async for piece in answer.content])))
    finally:
        server.close()
    return found, connections


def test_the_resource_is_called_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted, context = authority_and_server(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    assert lengths_of_answers(context, 2) == ([100_000, 100_000], 1)


def test_another_name_is_not_the_resource(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted, context = authority_and_server(tmp_path, "elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with pytest.raises(Unreachable) as caught:
        lengths_of_answers(context, 1)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


def test_an_authority_that_is_not_trusted_vouches_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, context = authority_and_server(tmp_path, "localhost")
    (tmp_path / "another").mkdir()
    another, _ = authority_and_server(tmp_path / "another", "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(another))
    with pytest.raises(Unreachable) as caught:
        lengths_of_answers(context, 1)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
