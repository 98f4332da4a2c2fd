"""The counts of all reports, for the table in README.md: `python -m docs.conformance.summary`."""

import json
import sys
from pathlib import Path

_HERE = Path(__file__).parent


def rows() -> list[str]:
    """Return one row for each product that has a report."""
    found = []
    for report in sorted(_HERE.glob("*/report/report.json")):
        document = json.loads(report.read_text())
        spec, profile = (_counts(document["counts"][name]) for name in ("spec", "profile"))
        folder = report.parent.parent.name
        page = f"[report]({folder}/report/report.html)"
        found.append(f"| [{document['target']['name']}]({folder}/) | {spec} | {profile} | {page} |")
    return found


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
