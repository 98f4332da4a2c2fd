"""What the authorization server keeps. Secrets that a caller holds are kept as hashes only."""

import hashlib
from datetime import datetime
from typing import ClassVar

from sqlalchemy import JSON, BigInteger, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from auth_server.clients import Client
from delegation.database import UtcDateTime, add_missing_columns
from delegation.record_table import record_table


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map: ClassVar = {datetime: UtcDateTime, list[str]: JSON, str: String(512)}


RECORD = record_table(Base.metadata)


def create_tables(db: Session) -> None:
    """Create the tables that are missing, and add the columns that an earlier version's tables lack."""
    if db.get_bind().dialect.name == "postgresql":
        # Several servers may start on one database. SQLite's transactions wait for each other anyway.
        db.execute(text("SELECT pg_advisory_xact_lock(8502)"))
    Base.metadata.create_all(db.connection())
    add_missing_columns(db.connection(), Base.metadata)


def hashed(secret: str) -> str:
    """Return what is stored of a code, a cookie or a refresh token: random values, so one hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Customer(Base):
    """A person with accounts, who can sign on unless disabled; `password_hash` is argon2id.

    `groups` are those that the customer is in, None for none: agents may be limited to them.
    """

    __tablename__ = "customer"
    sub: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    disabled_at: Mapped[datetime | None]
    groups: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))


class Staff(Base):
    """A person who looks after agents, and no customer; `role` is one of `auth_server.scopes.ROLES`."""

    __tablename__ = "staff"
    sub: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(String(16))
    disabled_at: Mapped[datetime | None]


class FailedSignOn(Base):
    """Wrong passwords in a row for one user name, whether it exists or not."""

    __tablename__ = "failed_sign_on"
    username_hash: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime]


class SignOnSession(Base):
    """A browser that is signed on. Its cookie's value is known by hash only; `sid` names it elsewhere."""

    __tablename__ = "sign_on_session"
    cookie_hash: Mapped[str] = mapped_column(primary_key=True)
    sid: Mapped[str] = mapped_column(unique=True)
    sub: Mapped[str]
    signed_on_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class AuthorizationCode(Base):
    """An authorization code (RFC 6749 §4.1.2) and what it is for. `family` joins all that comes of it."""

    __tablename__ = "authorization_code"
    code_hash: Mapped[str] = mapped_column(primary_key=True)
    family: Mapped[str]
    client_id: Mapped[str]
    sub: Mapped[str]
    sid: Mapped[str]
    scope: Mapped[str]
    resources: Mapped[list[str]]
    redirect_uri: Mapped[str]
    code_challenge: Mapped[str]
    nonce: Mapped[str | None]
    auth_time: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    def get_redirect_uri(self) -> str:
        """Return where the code was sent (Authlib asks, as below)."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the scope that the customer agreed to."""
        return self.scope

    def get_nonce(self) -> str | None:
        """Return the ID token's `nonce`."""
        return self.nonce

    def get_auth_time(self) -> int:
        """Return the ID token's `auth_time`, in seconds since 1970."""
        return int(self.auth_time.timestamp())

    def get_acr(self) -> None:
        """Return nothing: there is one way to sign on here, and it has no class."""

    def get_amr(self) -> list[str]:
        """Return how the customer signed on (RFC 8176 §2)."""
        return ["pwd"]


class RefreshToken(Base):
    """A refresh token, good for one use (RFC 9700 §4.14.2)."""

    __tablename__ = "refresh_token"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    family: Mapped[str] = mapped_column(index=True)
    client_id: Mapped[str]
    sub: Mapped[str]
    sid: Mapped[str] = mapped_column(index=True)
    scope: Mapped[str]
    resources: Mapped[list[str]]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    def check_client(self, client: Client) -> bool:
        """Tell whether the token was issued to this client (Authlib asks, as below)."""
        return self.client_id == client.client_id

    def get_scope(self) -> str:
        """Return the scope that a refresh may ask for at most."""
        return self.scope


class IssuedToken(Base):
    """An access token that was issued. `parent_jti` is the subject token that it was exchanged for."""

    __tablename__ = "issued_token"
    jti: Mapped[str] = mapped_column(primary_key=True)
    sub: Mapped[str] = mapped_column(index=True)
    client_id: Mapped[str]
    family: Mapped[str | None] = mapped_column(index=True)
    sid: Mapped[str | None] = mapped_column(index=True)
    parent_jti: Mapped[str | None] = mapped_column(index=True)
    issued_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class DelegationGrant(Base):
    """What a customer allows an agent, until when. A withdrawn grant stays, as history.

    `max_transfer_minor` is the largest transfer that the consent page named, in minor units; None if it named
    none, or if the grant is from before this was kept: then the agent's own limit counts alone.
    """

    __tablename__ = "delegation_grant"
    grant_id: Mapped[str] = mapped_column(primary_key=True)
    sub: Mapped[str] = mapped_column(index=True)
    agent: Mapped[str]
    scope: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_scope: Mapped[str | None]
    max_transfer_minor: Mapped[int | None] = mapped_column(BigInteger)


class UsedAssertion(Base):
    """A client assertion that was used, kept until it would have expired (RFC 7523 §3)."""

    __tablename__ = "used_assertion"
    client_id: Mapped[str] = mapped_column(primary_key=True)
    jti_hash: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]
