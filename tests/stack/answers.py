"""An answer that is not what a test needs, told so that its cause can be found."""

from typing import Any

import httpx2

_HEADERS_NOT_TOLD = frozenset({"set-cookie", "location"})
"""They may hold a secret."""


def json_of(answer: httpx2.Response, status: int) -> Any:
    """Return the JSON of an answer.

    Raises:
        AssertionError: it has another status, or no JSON.
    """
    assert answer.status_code == status, f"not {status}: {told(answer)}"
    try:
        return answer.json()
    except ValueError as error:
        raise AssertionError(f"no JSON ({error}): {told(answer)}") from None


def told(answer: httpx2.Response) -> str:
    """Return status, headers and the beginning of the body."""
    headers = {name: value for name, value in answer.headers.items() if name not in _HEADERS_NOT_TOLD}
    asked = f"{answer.request.method} {answer.request.url.path}"
    return f"{asked} answered {answer.status_code} {headers} {answer.text[:200]!r}"
