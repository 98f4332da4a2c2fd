"""A run as one self-contained page, to hand to a security review. It needs no script and no network."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.e2e.rules import SECTIONS

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(report: dict[str, Any]) -> str:
    """Return the report as HTML."""
    results = [one | {"shown": shown(one)} for one in report["results"]]
    sections = [
        (title, [one for one in results if one["id"].startswith(letters)])
        for letters, title in SECTIONS.items()
    ]
    return _TEMPLATES.get_template("report.html").render(
        report=report,
        sections=[(title, listed) for title, listed in sections if listed],
        filters=[name for name in report["counts"]["spec"] if any(one["shown"] == name for one in results)],
    )


def shown(result: dict[str, Any]) -> str:
    """Return the verdict under which a result is listed; a failure that is expected stands apart."""
    return "expected failure" if result["actual"] and result["expected_failure"] else str(result["verdict"])
