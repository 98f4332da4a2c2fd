"""What is told to resources of tokens that have ended, and which stream has been told."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from auth_server.tables import Base


class SecurityEvent(Base):
    """Something that has ended (RFC 8417), written in the transaction that ends it.

    One of `ended_jti` and `party` is set; `sub` may narrow a party down. At `expires_at` no token that
    it concerns can live any more.
    """

    __tablename__ = "security_event"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    jti: Mapped[str] = mapped_column(String(32), unique=True)
    kind: Mapped[str]
    ended_jti: Mapped[str | None]
    party: Mapped[str | None]
    sub: Mapped[str | None]
    occurred_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class EventStream(Base):
    """A receiver's stream, from its first poll on."""

    __tablename__ = "event_stream"
    stream_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str]
    polled_at: Mapped[datetime]


class EventAcknowledged(Base):
    """An event that a stream's receiver has taken (RFC 8936 §2.4.1); it is not delivered again."""

    __tablename__ = "event_acknowledged"
    stream_id: Mapped[str] = mapped_column(
        ForeignKey("event_stream.stream_id", ondelete="CASCADE"), primary_key=True
    )
    event_id: Mapped[int] = mapped_column(
        ForeignKey("security_event.id", ondelete="CASCADE"), primary_key=True, index=True
    )
