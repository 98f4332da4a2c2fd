"""Twins that are lax about the form of an exchange request (RFC 8693 §2.1)."""

from contextlib import AbstractContextManager

from delegation.token_exchange import ACCESS_TOKEN_TYPE
from tests.e2e.in_process import InProcess
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.twin import twin


@twin("TX-02", "takes a subject token without a type for an access token")
def guesses_the_subject_token_type(stack: InProcess) -> AbstractContextManager[None]:
    """Fill in the type that is missing."""

    async def handle(request: Request, forward: Forward) -> Response:
        if request.is_exchange and "subject_token_type" not in request.form:
            request = request.with_form(subject_token_type=ACCESS_TOKEN_TYPE)
        return await forward(request)

    return stack.auth_server.inside(layer(handle))
