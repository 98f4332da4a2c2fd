"""Records as JSON lines and as CSV, for other programs."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

COLUMNS: Final = (
    *("position", "time", "service", "step", "decision", "operation", "resource", "sub", "act", "client_id"),
    *("aud", "scope", "reason", "jti", "decision_id", "trace_id", "policy_version", "call", "hash"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def as_json_lines(records: Iterable[Mapping[str, Any]]) -> str:
    """Return a line of JSON for each record."""
    return "".join(json.dumps(dict(record), separators=(",", ":")) + "\n" for record in records)


def as_csv(records: Iterable[Mapping[str, Any]], *, header: bool = True) -> str:
    """Return the records as CSV (RFC 4180); several actors or audiences stand in one cell, with a space.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow(COLUMNS)
    writer.writerows([_cell(record.get(name)) for name in COLUMNS] for record in records)
    return text.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, list):
        value = " ".join(map(str, value))
    elif isinstance(value, dict):
        value = json.dumps(value, sort_keys=True, separators=(",", ":"))
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
