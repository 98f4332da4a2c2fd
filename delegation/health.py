"""`GET /healthz`: the process lives. `GET /readyz`: it can do its work, or names what it lacks."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Check = Callable[[], Awaitable[None]]
_log = logging.getLogger(__name__)


class NotReady(Exception):
    """What a service lacks, and what to do about it, in a sentence for the operator."""


async def lacking(checks: Mapping[str, Check]) -> dict[str, str]:
    """Return what fails of the checks, name to reason; empty when the service can do its work."""
    found = {}
    for name, check in checks.items():
        try:
            await check()
        except NotReady as error:
            found[name] = str(error)
        except Exception:  # noqa: BLE001 - whatever broke, the answer is "not ready", and readiness must answer
            _log.exception("readiness check %s failed", name)
            found[name] = "the check itself failed; see the service's log"
    return found


def health_routes(checks: Mapping[str, Check], warnings: Mapping[str, Check] | None = None) -> list[Route]:
    """Return the two routes; `/readyz` answers 503 with what is lacking while any check fails.

    What fails of `warnings` is told as well, and keeps nothing from being ready.
    """

    async def healthz(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> JSONResponse:
        found = await lacking(checks)
        if found:
            return JSONResponse({"status": "not ready", "lacking": found}, 503)
        told = await lacking(warnings or {})
        return JSONResponse({"status": "ready"} | ({"warnings": told} if told else {}))

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
