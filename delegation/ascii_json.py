"""JSON in ASCII, quickly: for lines of a log, and for columns of a database."""

import json
from typing import Final

import orjson

_ASCII: Final = json.JSONEncoder(separators=(",", ":"))


def ascii_json(value: object) -> str:
    """Return a value as JSON without white space, all but ASCII escaped; lists may be tuples."""
    try:
        written = orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits
        return _ASCII.encode(value)
    return written.decode() if written.isascii() else _ASCII.encode(value)
