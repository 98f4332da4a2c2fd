"""JSON bodies, read after the token and not without end; FastAPI itself would do it the other way round."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from delegation.problem import Problem

MAX_BODY_BYTES: Final = 128 * 1024
Kind = TypeVar("Kind", bound=BaseModel)


def json_body(kind: type[Kind]) -> Callable[[Request], Awaitable[Kind]]:
    """Return the dependency that reads a request's body as `kind`.

    It stands after the token among an endpoint's parameters, and raises what becomes 413 or 422.
    """

    async def body(request: Request) -> Kind:
        content = b""
        try:
            async for chunk in request.stream():
                content += chunk
                if len(content) > MAX_BODY_BYTES:
                    raise Problem(413, f"Send {MAX_BODY_BYTES} bytes at most.")
        except ClientDisconnect as error:
            raise Problem(400, "The request is not whole.") from error
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            faults = [
                {**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_input=False)
            ]
            raise RequestValidationError(faults) from error

    return body


def documented(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the body's part of the OpenAPI operation."""
    content = {"application/json": {"schema": kind.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
