"""The three report files in one folder."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.reports.junit import junit
from tests.e2e.reports.page import page
from tests.e2e.verdict import UnsoundRun


def write_reports(report: dict[str, Any], folder: Path) -> list[Path]:
    """Write `report.json`, `junit.xml` and `report.html`, and return their paths.

    Raises:
        UnsoundRun: the folder cannot be written to.
    """
    texts = {
        "report.json": json.dumps(report, indent=2, ensure_ascii=False) + "\n",
        "junit.xml": junit(report),
        "report.html": page(report),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text)
    except OSError as error:
        raise UnsoundRun(f"the reports cannot be written: {error}") from error
    return [folder / name for name in texts]
