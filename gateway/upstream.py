"""The resource behind the gateway, as an HTTP client sees it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    StreamReader,
    TCPConnector,
)
from yarl import URL

# Less than the 5 s after which many servers close an idle connection: a write must not meet one just closing.
_IDLE_SECONDS: Final = 4.0


class UpstreamFault(Exception):
    """The resource gave no answer that can be passed on.

    `status` is the gateway's own, `kind` the last part of the problem's type. `reason` and `next_step` are
    for the caller and name nothing behind the gateway.
    """

    status = 502
    kind = "upstream-broken"
    reason = "The resource gave no complete answer."
    next_step = "It may have done what was asked: repeat a write only with the same Idempotency-Key."


class Unreachable(UpstreamFault):
    """No connection, or none in time: the call was not made."""

    kind = "upstream-unreachable"
    reason = "The resource cannot be reached."
    next_step = "Nothing was done. Send the call again shortly."


class TimedOut(UpstreamFault):
    """No answer in time: the call may have been carried out all the same."""

    status = 504
    kind = "upstream-timeout"
    reason = "The resource did not answer in time."


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is still to be read: `content` gives it piece by piece, as it comes."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    content: AsyncIterator[bytes]


class Upstream:
    """One resource at one origin; an async context manager that holds the connections."""

    def __init__(
        self,
        origin: str,
        *,
        max_connections: int,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
    ) -> None:
        self._origin = URL(origin)
        self._max_connections = max_connections
        self._read_timeout_seconds = read_timeout_seconds
        # No total: an answer may go on as long as it keeps coming. `connect` holds for the wait in line too.
        self._timeout = ClientTimeout(
            total=None, connect=connect_timeout_seconds, sock_read=read_timeout_seconds
        )
        self._session: ClientSession

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            connector=TCPConnector(limit=self._max_connections, keepalive_timeout=_IDLE_SECONDS),
            timeout=self._timeout,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    @asynccontextmanager
    async def answer(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: list[tuple[str, str]] | None = None,
        body: AsyncIterator[bytes] | None = None,
    ) -> AsyncIterator[Answer]:
        """Make one call and give the answer; path and query are sent as they are.

        An idempotent call without a body is made a second time if its connection breaks before the answer
        begins, which a kept connection may do at any time (RFC 9112 §9.3.1).

        Raises:
            UpstreamFault: no answer came, or it broke off while it was read.
        """
        origin = self._origin
        url = URL.build(
            scheme=origin.scheme, authority=origin.raw_authority, path=path, query_string=query, encoded=True
        )
        call = self._session.request(method, url, headers=headers, data=body, allow_redirects=False)
        try:
            async with call as response:
                if not _ends_visibly(response):
                    raise UpstreamFault
                yield Answer(response.status, response.raw_headers, self._pieces(response.content))
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise Unreachable from error
        except TimeoutError as error:
            raise TimedOut from error
        except ClientError as error:
            raise UpstreamFault from error

    async def _pieces(self, content: StreamReader) -> AsyncIterator[bytes]:
        while True:
            # aiohttp 3.14 waits for ever when the connection ends in a malformed chunk: so we keep the time.
            async with asyncio.timeout(self._read_timeout_seconds):
                piece = await content.readany()
            if not piece:
                return
            yield piece


def _ends_visibly(response: ClientResponse) -> bool:
    """Tell whether the answer is final and its end can be told from a broken connection (RFC 9112 §6.3)."""
    chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
    framed = chunked != ("Content-Length" in response.headers)
    return response.status >= 200 and (framed or response.status in {204, 304})
