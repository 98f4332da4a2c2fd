"""A receiver's stream of security events: what it has not taken yet, and what it has (RFC 8936 §2.4)."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, exists, insert, select
from sqlalchemy.orm import Session

from auth_server.event_tables import EventAcknowledged, EventStream, SecurityEvent
from auth_server.lock_order import lock

_MOST_STREAMS: Final = 64
"""Of one client: each start of a receiver begins one, and those that are not polled any more go first."""
_ABANDONED: Final = timedelta(hours=1)

_ANY_PENDING: Final = (
    select(SecurityEvent.id)
    .where(
        SecurityEvent.expires_at > bindparam("now"),
        ~exists().where(
            EventAcknowledged.stream_id == bindparam("its_stream"),
            EventAcknowledged.event_id == SecurityEvent.id,
        ),
    )
    .limit(1)
)


def open_stream(db: Session, stream_id: str, client_id: str, now: datetime) -> bool:
    """Begin a client's stream, or go on with it; False if it is another client's.

    A new stream holds every event that can still concern a token.
    """
    stream = db.get(EventStream, stream_id, with_for_update=True)
    if stream is not None and stream.client_id != client_id:
        return False
    if stream is None:
        _make_room(db, client_id)
        stream = EventStream(stream_id=stream_id, client_id=client_id, polled_at=now)
        db.add(stream)
    stream.polled_at = now
    db.flush()
    return True


def acknowledge(db: Session, stream_id: str, jtis: Collection[str]) -> None:
    """Note that the receiver has taken these events. Others are passed over."""
    taken = exists().where(
        EventAcknowledged.stream_id == stream_id, EventAcknowledged.event_id == SecurityEvent.id
    )
    events = db.scalars(select(SecurityEvent.id).where(SecurityEvent.jti.in_(jtis), ~taken)).all()
    if events:
        db.execute(
            insert(EventAcknowledged), [{"stream_id": stream_id, "event_id": event} for event in events]
        )


def pending(db: Session, stream_id: str, most: int, now: datetime) -> Sequence[SecurityEvent]:
    """Return up to so many events that the receiver has not taken, oldest first."""
    taken = exists().where(
        EventAcknowledged.stream_id == stream_id, EventAcknowledged.event_id == SecurityEvent.id
    )
    events = select(SecurityEvent).where(SecurityEvent.expires_at > now, ~taken)
    return db.scalars(events.order_by(SecurityEvent.id).limit(most)).all()


def has_pending(connection: Connection, stream_id: str, now: datetime) -> bool:
    """Tell whether there is an event that the receiver has not taken."""
    return connection.execute(_ANY_PENDING, {"its_stream": stream_id, "now": now}).first() is not None


def remove_old_events(db: Session, now: datetime) -> None:
    """Remove events that concern no token any more, and streams that nobody polls."""
    abandoned, old = EventStream.polled_at < now - _ABANDONED, SecurityEvent.expires_at <= now
    lock(db, EventStream, abandoned)
    db.execute(delete(EventStream).where(abandoned))
    lock(db, SecurityEvent, old)
    db.execute(delete(SecurityEvent).where(old))


def _make_room(db: Session, client_id: str) -> None:
    mine = select(EventStream.stream_id).where(EventStream.client_id == client_id)
    too_many = mine.order_by(EventStream.polled_at.desc()).offset(_MOST_STREAMS - 1)
    for stream_id in db.scalars(too_many).all():
        db.execute(delete(EventStream).where(EventStream.stream_id == stream_id))
