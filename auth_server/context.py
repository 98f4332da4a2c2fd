"""What the routes share: made once in `app.py`, read everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.templating import Jinja2Templates
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from auth_server.audit import transaction
from auth_server.authorization_server import AuthorizationServer
from auth_server.checkpoint_keys import CheckpointKeys
from auth_server.csrf import CsrfProtection
from auth_server.exchanges import Exchanges
from auth_server.oauth_request import (
    Parameters,
    ServerRequest,
    check_one_authentication,
    form_parameters,
)
from auth_server.passwords import Passwords
from auth_server.settings import Settings
from delegation.clock import Clock


@dataclass(frozen=True)
class Context:
    """The parts of the running authorization server."""

    settings: Settings
    engine: Engine
    server: AuthorizationServer
    exchanges: Exchanges
    passwords: Passwords
    csrf: CsrfProtection
    templates: Jinja2Templates
    clock: Clock
    checkpoint_keys: CheckpointKeys

    def now(self) -> datetime:
        """Return the current time, aware UTC."""
        return self.clock()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Run one transaction."""
        with transaction(self.engine) as db:
            yield db

    def request(self, db: Session, method: str, path: str, parameters: Parameters) -> ServerRequest:
        """Return a request in Authlib's form. Its address is the issuer's, whatever host a caller named."""
        return ServerRequest(method, self.settings.issuer + path, parameters, db, self.now())


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


InContext = Annotated[Context, Depends(_context)]
Form = Annotated[list[tuple[str, str]], Depends(form_parameters)]


async def client_form(request: Request) -> list[tuple[str, str]]:
    """Read the form of an endpoint where clients authenticate."""
    form = await form_parameters(request)
    check_one_authentication(form, request.headers.getlist("authorization"))
    return form


ClientForm = Annotated[list[tuple[str, str]], Depends(client_form)]
"""A form at an endpoint where clients authenticate."""
