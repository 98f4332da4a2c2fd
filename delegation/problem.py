"""Problem details for HTTP interfaces (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse

MEDIA_TYPE: Final = "application/problem+json"
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
"""The JSON Schema of the members that every problem document has (RFC 9457 §3.1), for OpenAPI documents."""


class Problem(Exception):
    """A fault that a caller is told about. `detail` says what is wrong and what to do next."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str = "about:blank",
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,  # noqa: ANN401 - RFC 9457 §3.2 leaves the extension members' types open
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.body = {
            "type": kind,
            "title": title or HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            **extensions,
        }

    def response(self) -> JSONResponse:
        """Return the problem document as a response."""
        return JSONResponse(self.body, self.status, self.headers, media_type=MEDIA_TYPE)


async def answer_problem(_request: Request, error: Exception) -> JSONResponse:
    """Answer a raised `Problem`: the one exception handler a service registers for it."""
    if not isinstance(error, Problem):
        raise error
    return error.response()
