"""The app's HTML, rendered with everything escaped: bank data and model text are data, never markup."""

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render(template: str, **values: object) -> str:
    """Return the template's HTML; every value is escaped, and a missing one is an error."""
    return _environment().get_template(template).render(**values)


def as_label(name: str) -> str:
    """Return a name that stays as it is in a label, which Streamlit reads as Markdown."""
    return re.sub(r"([^\w\s])", r"\\\1", name)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
