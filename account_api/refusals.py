"""Every error as the problem document that its caller gets: the one place where they become HTTP."""

import logging
from http import HTTPStatus
from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from account_api import problems
from delegation.bearer import BearerError
from delegation.problem import Problem
from delegation.scope import Scope
from delegation.unverifiable import Unverifiable

_MAX_ERRORS: Final = 20
_OF_STATUS: Final = {
    400: "The request's body cannot be read. Send JSON in UTF-8.",
    404: "There is nothing at this address. /openapi.json lists what there is.",
    405: "This method does not exist here. The Allow header lists those that do.",
    413: "The body is longer than any valid one. Send less.",
    431: "The header fields are longer than any valid ones. Send fewer or shorter ones.",
}
_log = logging.getLogger(__name__)


def as_problem(error: Exception, *, needed: Scope, resource_metadata: str) -> Problem:
    """Return the answer to an error; `needed` is what a challenge names (RFC 6750 §3).

    An error that nobody foresaw is logged and becomes a 500 that tells nothing.
    """
    match error:
        case Problem():
            return error
        case BearerError():
            return _challenge(error, needed, resource_metadata)
        case Unverifiable():
            return problems.temporarily_unavailable(error.lack)
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return Problem(error.status_code, _OF_STATUS[error.status_code], headers=error.headers)
        case _:
            _log.error("unforeseen error", exc_info=error)
            return problems.internal_error()


def _challenge(error: BearerError, needed: Scope, resource_metadata: str) -> Problem:
    error.scope = error.scope or needed
    without_code = "client-not-allowed" if error.status == HTTPStatus.FORBIDDEN else "token-missing"
    return Problem(
        error.status,
        error.description,
        kind=problems.BASE + (error.error or without_code).replace("_", "-"),
        headers={"WWW-Authenticate": error.challenge(resource_metadata)},
    )


def _invalid(error: RequestValidationError) -> Problem:
    faults = error.errors()[:_MAX_ERRORS]
    if any(fault["loc"] == ("header", "Idempotency-Key") and fault["type"] == "missing" for fault in faults):
        return problems.idempotency_key_missing()
    return problems.request_invalid(
        [{"location": _location(fault["type"], fault["loc"]), "message": fault["msg"]} for fault in faults]
    )


def _location(kind: str, parts: tuple[str | int, ...]) -> str:
    # The name of a field that should not be there is the caller's text, and may be anything.
    known = parts[:-1] if kind == "extra_forbidden" else parts
    return ".".join(str(part) for part in known)
