"""The gateway of this repository without its records, to see what these cost: fit for nothing else."""

from typing import Self
from unittest.mock import patch

from starlette.types import ASGIApp

from delegation.record import Record
from gateway.app import create_app as create_gateway


class NoLog:
    """A decision log that keeps nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def permit(self, record: Record) -> None:
        """Take the record of a permit."""

    async def permit_on_disk(self, record: Record) -> None:
        """Take the record of a permit."""

    def refusal(self, record: Record) -> None:
        """Take the record of a refusal."""

    def print(self, record: Record) -> None:
        """Print nothing."""

    async def printed(self, record: Record) -> None:
        """Print nothing."""

    async def ready(self) -> None:
        """Pass."""


def create_app() -> ASGIApp:
    """Return the gateway; a factory for uvicorn."""
    with patch("gateway.app.DecisionLog", NoLog):
        return create_gateway()
