"""Texts in MCP's header fields: as they are where that is safe, and else in base64 (MCP 2026-07-28)."""

import base64
import binascii
import re
from typing import Final

_MARK: Final = "=?base64?"
_BASE64: Final = re.compile(r"=\?base64\?([A-Za-z0-9+/]*={0,2})\?=\Z")
_SAFE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?\Z")


def encoded(text: str) -> str:
    """Write a text as a field value."""
    if _SAFE.match(text) and not text.startswith(_MARK):
        return text
    return f"{_MARK}{base64.b64encode(text.encode()).decode()}?="


def decoded(value: str) -> str | None:
    """Return the text that a field value stands for; None for one that is malformed.

    Whitespace around a value is none of it (RFC 9110 §5.5).
    """
    value = value.strip(" \t")
    if not value.startswith(_MARK):
        return value
    match = _BASE64.match(value)
    try:
        return base64.b64decode(match.group(1), validate=True).decode("utf-8") if match else None
    except (binascii.Error, UnicodeDecodeError):
        return None
