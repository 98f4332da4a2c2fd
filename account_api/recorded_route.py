"""A route whose every request is first authorised, then answered, and recorded whatever the answer."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive

from account_api.access import Requirement, check
from account_api.accounts import ACCOUNT_ID
from account_api.bank import Bank, bank_of
from account_api.call import Call, Recorder
from account_api.database import DatabaseUnavailable
from account_api.refusals import as_problem
from delegation.bearer import bearer_token
from delegation.scope import Scope
from delegation.token import AccessToken

_MAX_BODY_BYTES: Final = 4096
_MAX_HEADER_BYTES: Final = 16 * 1024


class RecordedRoute(APIRoute):
    """A route that names its `operation_id` and declares in `openapi_extra` what it `needs`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, within authorisation and record.

        Raises:
            KeyError: the route does not declare what it needs.
        """
        requirement = Requirement.from_openapi(self.openapi_extra or {})
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            bank = await bank_of(request)
            recorder = Recorder(
                database=bank.database,
                clock=bank.clock,
                operation=self.operation_id or self.name,
                resource=_resource(self.path_format, request.path_params),
            )
            try:
                recorder.token = token = await _verified_token(request, bank)
                check(token, requirement, bank.app_client_ids)
                request.state.call = Call(token, recorder, bank.verifier)
                response = await handle(Request(request.scope, _bounded(request.receive)))
            except Exception as error:  # noqa: BLE001 - whatever fails, the answer is a recorded no
                return await refused(error, recorder, requirement.scope, bank)
            return _finished(response, recorder)

        return answer


async def refused(error: Exception, recorder: Recorder, needed: Scope, bank: Bank) -> Response:
    """Return the answer to an error, recorded."""
    if isinstance(error, DatabaseUnavailable):
        problem = recorder.refuse_for_outage()
    else:
        problem = as_problem(error, needed=needed, resource_metadata=bank.resource_metadata_url)
        problem = await run_in_threadpool(recorder.refuse, problem)
    return _finished(problem.response(), recorder)


async def _verified_token(request: Request, bank: Bank) -> AccessToken:
    if sum(len(name) + len(value) for name, value in request.headers.raw) > _MAX_HEADER_BYTES:
        raise HTTPException(431)
    encoded = bearer_token(request.headers.getlist("authorization"), request.query_params)
    return await bank.verifier.verify(encoded)


def _resource(path: str, parameters: dict[str, str]) -> str:
    """Return the path, with the account id filled in if it can be one: no other text of a caller's."""
    account_id = parameters.get("account_id", "")
    return path.format(account_id=account_id) if ACCOUNT_ID.fullmatch(account_id) else path


def _bounded(receive: Receive) -> Receive:
    """Return `receive`, raising `HTTPException` 413 when the body gets longer than any valid one."""
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > _MAX_BODY_BYTES:
            raise HTTPException(413)
        return message

    return receive_bounded


def _finished(response: Response, recorder: Recorder) -> Response:
    response.headers["Cache-Control"] = "no-store"
    if recorder.record_id is not None:
        response.headers["Record-Id"] = recorder.record_id
    return response
