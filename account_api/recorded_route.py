"""A route whose every request is first authorised, then answered, and recorded whatever the answer."""

from collections.abc import Callable, Coroutine, Iterable
from functools import wraps
from typing import Any, Final

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from account_api import problems
from account_api.access import Requirement, check
from account_api.admission import bounded, resource_of, verified_token
from account_api.bank import Bank, bank_of
from account_api.call import Call, Recorder
from account_api.database import DatabaseUnavailable
from account_api.refusals import as_problem
from delegation.in_thread import in_thread
from delegation.problem import Problem
from delegation.scope import Scope

_MAX_BODY_BYTES: Final = 4096
Answer = Callable[[Request], Coroutine[Any, Any, Response]]


class RecordedRoute(APIRoute):
    """A route that names its `operation_id` and declares in `openapi_extra` what it `needs`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401
        super().__init__(path, _serialized(endpoint), **options)

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

    @property
    def takes_path_alone(self) -> bool:
        """Tell whether the operation takes nothing but text that stands in its path, whatever it is."""
        taken = self.dependant
        elsewhere = (taken.query_params, taken.header_params, taken.cookie_params, taken.body_params)
        in_path = (parameter.field_info for parameter in taken.path_params)
        return not any(elsewhere) and all(one.annotation is str and not one.metadata for one in in_path)

    def get_route_handler(self) -> Answer:
        """Return the handler, within authorisation and record.

        Raises:
            KeyError: the route does not declare what it needs.
        """
        requirement, takes_path_alone = self.requirement, self.takes_path_alone
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
                call = Call(token, recorder, bank.verifier)
                if takes_path_alone:
                    response = await in_thread(self.endpoint, call=call, **request.path_params)
                else:
                    request.state.call = call
                    response = await handle(Request(request.scope, bounded(request.receive, _MAX_BODY_BYTES)))
            except Exception as error:  # noqa: BLE001 - whatever fails, the answer is a recorded no
                return await refused(error, recorder, requirement.scope, bank)
            return finished(response, recorder)

        return answer


def _serialized(endpoint: Callable[..., Any]) -> Callable[..., Response]:
    """Return the endpoint with its answer as JSON: FastAPI would first validate it, in a second thread."""

    @wraps(endpoint)
    def answer(**arguments: Any) -> Response:  # noqa: ANN401 - the endpoint's own
        found: BaseModel | Response = endpoint(**arguments)
        if isinstance(found, Response):
            return found
        return Response(found.model_dump_json(by_alias=True), media_type="application/json")

    return answer


class Shortcut:
    """Takes a request to the route of its operation past FastAPI, where that has nothing to add."""

    def __init__(self, app: ASGIApp, routes: Iterable[object]) -> None:
        self._app = app
        self._routes = [
            (route.methods or set(), route.path_regex, route.get_route_handler())
            for route in routes
            if isinstance(route, RecordedRoute) and route.takes_path_alone
        ]

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http":
            for methods, path, answer in self._routes:
                found = path.match(scope["path"]) if scope["method"] in methods else None
                if found is not None:
                    scope["path_params"] = found.groupdict()
                    await _answer(answer, Request(scope, receive), send)
                    return
        await self._app(scope, receive, send)


async def _answer(answer: Answer, request: Request, send: Send) -> None:
    try:
        response = await answer(request)
    except Exception:
        # Even the record of a refusal failed, for a reason that nobody foresaw: uvicorn logs it.
        await problems.internal_error().response()(request.scope, request.receive, send)
        raise
    await response(request.scope, request.receive, send)


async def refused(error: Exception, recorder: Recorder, needed: Scope, bank: Bank) -> Response:
    """Return the answer to an error, recorded."""
    problem = await recorded_refusal(error, recorder, needed, bank)
    return finished(problem.response(), recorder)


async def recorded_refusal(error: Exception, recorder: Recorder, needed: Scope, bank: Bank) -> Problem:
    """Record the refusal that an error leads to, and return what its caller is told."""
    if isinstance(error, DatabaseUnavailable):
        return recorder.refuse_for_outage()
    problem = as_problem(error, needed=needed, resource_metadata=bank.resource_metadata_url)
    return await in_thread(recorder.refuse, problem)


def finished(response: Response, recorder: Recorder) -> Response:
    """Return the answer with the id of its record, and kept out of caches."""
    response.headers["Cache-Control"] = "no-store"
    if recorder.record_id is not None:
        response.headers["Record-Id"] = recorder.record_id
    return response
