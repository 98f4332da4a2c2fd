"""A request's JSON body: bounded, looked at after the token, and checked into a type."""

from typing import Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from auth_server.agent_details import faults
from auth_server.oauth_request import read_body
from auth_server.problems import Refused

_JSON = "application/json"
ModelT = TypeVar("ModelT", bound=BaseModel)


def body(model: type[ModelT]) -> Any:
    """Declare a body of this model on a route. Let it stand after who may use the route."""

    async def read(request: Request) -> ModelT:
        sent = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if sent != _JSON:
            raise Refused(415, f"Send the body as {_JSON}.")
        try:
            return model.model_validate_json(await read_body(request))
        except ValidationError as error:
            raise Refused(422, faults(error), "the body is not as it must be") from error

    return Depends(read)


def documented_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the same for the route's OpenAPI document."""
    return {
        "requestBody": {"required": True, "content": {_JSON: {"schema": model.model_json_schema()}}},
    }
