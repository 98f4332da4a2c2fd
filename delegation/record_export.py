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
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a text begins that a spreadsheet may run; the last four are the full-width forms of the first."""


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
    writer.writerows([cell(record.get(name)) for name in COLUMNS] for record in records)
    return text.getvalue()


def cell(value: object) -> str:
    """Return a value as a cell that no spreadsheet runs as a formula, nor with spaces before it."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    elif isinstance(value, dict):
        value = json.dumps(value, sort_keys=True, separators=(",", ":"))
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text
