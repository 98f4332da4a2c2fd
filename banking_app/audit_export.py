"""Records to take away: as JSON lines, or as CSV (RFC 4180)."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Final

from banking_app.audit_records import AuditRecord, Trace
from delegation.record_export import cell

_COLUMNS: Final = tuple(AuditRecord.model_fields)


def as_json_lines(traces: Iterable[Trace]) -> str:
    """Return a record to a line, those of one trace under one another."""
    return "".join(
        json.dumps(record.model_dump(mode="json"), ensure_ascii=False) + "\n"
        for trace in traces
        for record in trace.records
    )


def as_csv(traces: Iterable[Trace]) -> str:
    """Return the same with a heading; no cell is one that a spreadsheet would run as a formula."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(_COLUMNS)
    for trace in traces:
        for record in trace.records:
            writer.writerow(cell(value) for value in record.model_dump(mode="json").values())
    return written.getvalue()
