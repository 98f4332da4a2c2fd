"""The counts of all reports, for the table in README.md: `python -m docs.conformance.summary`."""

import json
import sys
from pathlib import Path

_HERE = Path(__file__).parent


def main() -> None:
    """Write one row for each product that has a report."""
    for report in sorted(_HERE.glob("*/report/report.json")):
        document = json.loads(report.read_text())
        spec, profile = (_counts(document["counts"][name]) for name in ("spec", "profile"))
        folder = report.parent.parent.name
        page = f"[report]({folder}/report/report.html)"
        sys.stdout.write(f"| [{document['target']['name']}]({folder}/) | {spec} | {profile} | {page} |\n")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


if __name__ == "__main__":
    main()
