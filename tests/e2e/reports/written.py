"""The three report files in one folder."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.e2e.reports.junit import junit
from tests.e2e.reports.page import page
from tests.e2e.verdict import UnsoundRun

_NAMES: Final = ("report.json", "junit.xml", "report.html")


def remove_reports(folder: Path) -> None:
    """Remove the reports of an earlier run, if there are any and they can be removed."""
    for name in _NAMES:
        with suppress(OSError):
            (folder / name).unlink()


def write_reports(report: dict[str, Any], folder: Path) -> list[Path]:
    """Write `report.json`, `junit.xml` and `report.html`, and return their paths.

    Raises:
        UnsoundRun: the folder cannot be written to.
    """
    as_json = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    texts = dict(zip(_NAMES, (as_json, junit(report), page(report)), strict=True))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UnsoundRun(f"the reports cannot be written: {error}") from error
    return [folder / name for name in texts]
