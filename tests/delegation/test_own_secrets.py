"""What a service keeps in its data folder: its key pair, its secrets, its database."""

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import Column, MetaData, Table, insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from delegation.database import UtcDateTime, open_database
from delegation.record import Record
from delegation.record_table import append_records, record_table, records_of
from delegation.secret_file import write_once
from delegation.signing_key import SigningKey, jwk_set
from tests.clock import NOON


def test_a_key_is_made_once_and_read_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "key.pem"
    made = SigningKey.load_or_create(file)
    assert SigningKey.load_or_create(file).kid == made.kid
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in file.parent.iterdir()] == ["key.pem"]


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)

    def start(_: int) -> str:
        barrier.wait()
        return SigningKey.load_or_create(tmp_path / "key.pem").kid

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


def test_a_secret_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    write_once(tmp_path / "secret", b"first")
    write_once(tmp_path / "secret", b"second")
    assert (tmp_path / "secret").read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())]
)
def test_a_key_of_another_kind_is_refused(
    tmp_path: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(ValueError, match="no P-256 private key"):
        SigningKey.load(file)


def test_a_damaged_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("not a key")
    with pytest.raises(ValueError, match="PEM"):
        SigningKey.load_or_create(tmp_path / "key.pem")


def test_only_the_public_half_is_published() -> None:
    [published] = jwk_set(SigningKey.generate())["keys"]
    assert published.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_what_it_signs_verifies_with_what_it_publishes() -> None:
    key = SigningKey.generate()
    token = key.sign({"sub": "x"}, typ="at+jwt")
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
    assert jwt.decode(token, jwt.PyJWK(key.public_jwk), algorithms=["ES256"]) == {"sub": "x"}


def test_times_come_back_aware_and_in_utc(tmp_path: Path) -> None:
    metadata = MetaData()
    table = Table("t", metadata, Column("at", UtcDateTime))
    engine = open_database("", tmp_path / "new" / "test.db")
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(insert(table), [{"at": elsewhere}, {"at": None}])
        found = connection.scalars(select(table.c.at)).all()
    assert found == [NOON, None]
    assert found[0].utcoffset() == timedelta(0)
    with engine.connect() as connection, pytest.raises(StatementError, match="aware"):
        connection.execute(insert(table), {"at": datetime(2026, 1, 1)})  # noqa: DTZ001 - on purpose
    engine.dispose()


def test_an_error_of_the_database_quotes_no_value(tmp_path: Path) -> None:
    metadata = MetaData()
    table = record_table(metadata)
    engine = open_database(f"sqlite:///{tmp_path / 'test.db'}", tmp_path / "unused")
    record = Record(service="s", step=1, decision="deny", reason="a secret", operation="o")
    with engine.connect() as connection:
        metadata.create_all(connection)
        append_records(connection, table, [record])
        with pytest.raises(IntegrityError) as error:
            append_records(connection, table, [record])
    assert "a secret" not in str(error.value)
    engine.dispose()


def test_a_customers_records_of_a_trace_are_found_in_their_order(tmp_path: Path) -> None:
    metadata = MetaData()
    table = record_table(metadata)
    engine = open_database("", tmp_path / "test.db")
    shared = {"service": "s", "decision": "permit", "reason": "r", "operation": "o", "trace_id": "1" * 32}
    kept = [Record(step=step, sub="me", **shared) for step in (1, 2, 3)]  # type: ignore[arg-type]
    with engine.begin() as connection:
        metadata.create_all(connection)
        for record in (*kept, Record(step=4, sub="you", **shared), Record(step=5, **shared)):  # type: ignore[arg-type]
            append_records(connection, table, [record])
        assert records_of(connection, table, "me", "1" * 32) == [record.as_dict() for record in kept]
        assert records_of(connection, table, "me", "2" * 32) == []
        assert len(records_of(connection, table, "me", "1" * 32, limit=2)) == 2
    engine.dispose()
