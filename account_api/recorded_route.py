"""A route whose every request is first authorised, then answered, and recorded whatever the answer."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from account_api.access import Requirement, check
from account_api.admission import bounded, resource_of, verified_token
from account_api.bank import Bank, bank_of
from account_api.call import Call, Recorder
from account_api.database import DatabaseUnavailable
from account_api.refusals import as_problem
from delegation.problem import Problem
from delegation.scope import Scope

_MAX_BODY_BYTES: Final = 4096


class RecordedRoute(APIRoute):
    """A route that names its `operation_id` and declares in `openapi_extra` what it `needs`."""

    @property
    def operation(self) -> str:
        """Return the operation's name, for records."""
        return self.operation_id or self.name

    @property
    def requirement(self) -> Requirement:
        """Return what the route needs of a token.

        Raises:
            KeyError: it does not declare it.
        """
        return Requirement.from_openapi(self.openapi_extra or {})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, within authorisation and record.

        Raises:
            KeyError: the route does not declare what it needs.
        """
        requirement = self.requirement
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            bank = await bank_of(request)
            recorder = Recorder(
                database=bank.database,
                clock=bank.clock,
                operation=self.operation,
                resource=resource_of(self.path_format, request.path_params),
            )
            try:
                recorder.token = token = await verified_token(request, bank)
                check(token, requirement, bank.app_client_ids)
                request.state.call = Call(token, recorder, bank.verifier)
                response = await handle(Request(request.scope, bounded(request.receive, _MAX_BODY_BYTES)))
            except Exception as error:  # noqa: BLE001 - whatever fails, the answer is a recorded no
                return await refused(error, recorder, requirement.scope, bank)
            return finished(response, recorder)

        return answer


async def refused(error: Exception, recorder: Recorder, needed: Scope, bank: Bank) -> Response:
    """Return the answer to an error, recorded."""
    problem = await recorded_refusal(error, recorder, needed, bank)
    return finished(problem.response(), recorder)


async def recorded_refusal(error: Exception, recorder: Recorder, needed: Scope, bank: Bank) -> Problem:
    """Record the refusal that an error leads to, and return what its caller is told."""
    if isinstance(error, DatabaseUnavailable):
        return recorder.refuse_for_outage()
    problem = as_problem(error, needed=needed, resource_metadata=bank.resource_metadata_url)
    return await run_in_threadpool(recorder.refuse, problem)


def finished(response: Response, recorder: Recorder) -> Response:
    """Return the answer with the id of its record, and kept out of caches."""
    response.headers["Cache-Control"] = "no-store"
    if recorder.record_id is not None:
        response.headers["Record-Id"] = recorder.record_id
    return response
