"""Receives security event tokens by poll with long polling (RFC 8936), and keeps what has ended by them.

Each start of a receiver begins a stream of its own, which the transmitter fills with every event that can
still concern a token. So nothing has to be kept here over a restart, and several instances of one service do
not take each other's events away.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final, Protocol

import httpx2
from jwt import PyJWK

from delegation.client_credentials import ClientCredentials
from delegation.clock import Clock, utc_now
from delegation.health import NotReady
from delegation.jwks import KeysUnavailable, RemoteKeySet, UnknownKey
from delegation.oauth_error import OAuthError
from delegation.revocations import Revocations
from delegation.security_event import InvalidSet, read_set, signing_key_id
from delegation.signing_key import SigningKey

SILENCE_SECONDS: Final = 15.0
"""After so long without news every token is refused. The transmitter answers at least every 3 seconds."""

_MOST_AT_ONCE: Final = 200
_PATIENCE_SECONDS: Final = 8.0
_BETWEEN_POLLS_SECONDS: Final = 0.02
"""A transmitter that answers at once, against RFC 8936 §2.4, is not asked without a pause."""
_BETWEEN_TRIES_SECONDS: Final = 0.5
_MAX_BYTES: Final = 4 * 1024 * 1024
_log = logging.getLogger(__name__)


class NoNews(Exception):
    """A poll brought nothing that can be relied on; the text is for a log, without any token."""


class EventReceiver:
    """Polls for as long as it runs; what it hears goes into `revocations`."""

    def __init__(
        self,
        endpoint: str,
        *,
        issuer: str,
        token_endpoint: str,
        client_id: str,
        key: SigningKey,
        keys: RemoteKeySet,
        http: httpx2.AsyncClient,
        clock: Clock = utc_now,
    ) -> None:
        """`endpoint` is what streams are below; `key` authenticates `client_id`, `keys` are the issuer's."""
        self.revocations = Revocations(timedelta(seconds=SILENCE_SECONDS), clock)
        self._endpoint = endpoint.rstrip("/")
        self._stream = f"{self._endpoint}/{secrets.token_urlsafe(16)}"
        self._issuer = issuer
        self._client_id = client_id
        self._credentials = ClientCredentials(
            token_endpoint, issuer, client_id, key, http, clock, scope="ssf.read"
        )
        self._keys = keys
        self._http = http
        self._acknowledged: list[str] = []
        self._faults: dict[str, dict[str, str]] = {}
        self._lack = ""

    async def run(self) -> None:
        """Poll until cancelled. Whatever goes wrong is tried again, and meanwhile nothing counts as heard."""
        while True:
            try:
                await self.poll()
            except NoNews as fault:
                await self._after(str(fault))
            except Exception as fault:  # noqa: BLE001 - whatever it is, without the next poll nothing is served
                await self._after(f"it cannot be asked ({type(fault).__name__})")
            else:
                self._lack = ""
                await asyncio.sleep(_BETWEEN_POLLS_SECONDS)

    async def _after(self, lack: str) -> None:
        if self._lack != lack:
            _log.warning("no security events from %s: %s", self._endpoint, lack)
        self._lack = lack
        await asyncio.sleep(_BETWEEN_TRIES_SECONDS)

    async def ready(self) -> None:
        """Pass if all is known that has ended.

        Raises:
            NotReady: nothing has been heard for too long.
        """
        if not self.revocations.is_current:
            raise NotReady(
                f"nothing has been heard of ended tokens from {self._endpoint}, so every token is "
                f"refused: {self._lack or 'it has not answered yet'}"
            )

    async def poll(self) -> None:
        """Ask once, acknowledging what came before (RFC 8936 §2.4); the transmitter may hold the answer back.

        Raises:
            NoNews: there was no usable answer, or something in it cannot be relied on.
        """
        asked = self.revocations.now()
        acknowledged, faults = self._acknowledged, self._faults
        # Until there is news of everything, do not wait for more: what has ended is then known soonest.
        body = {
            "maxEvents": _MOST_AT_ONCE,
            "returnImmediately": bool(self._lack) or not self.revocations.is_current,
            "ack": acknowledged,
        } | ({"setErrs": faults} if faults else {})
        answer = await self._ask(body)
        self._acknowledged, self._faults = [], {}
        sets = answer.get("sets")
        if not isinstance(sets, dict):
            raise NoNews("its answer has no sets (RFC 8936 §2.4.2)")
        self.revocations.forget_old()
        for jti, encoded in sets.items():
            await self._take(jti, str(encoded))
            await asyncio.sleep(0)  # so many signatures must not hold up those who are served meanwhile
        if self._faults:
            raise NoNews("; ".join(fault["description"] for fault in self._faults.values()))
        if answer.get("moreAvailable") is not True:
            self.revocations.heard(asked)

    async def _take(self, jti: str, encoded: str) -> None:
        try:
            key = await self._key(signing_key_id(encoded))
            ended = read_set(encoded, key, self._issuer, self._client_id)
        except InvalidSet as fault:
            self._faults[_printable(jti)] = {"err": fault.error, "description": str(fault)}
            return
        if ended is not None:
            self.revocations.add(ended)
        self._acknowledged.append(_printable(jti))

    async def _key(self, kid: str) -> PyJWK:
        try:
            return await self._keys.key(kid)
        except UnknownKey as error:
            raise InvalidSet(
                "a security event token is signed with a key that is not the issuer's", "invalid_key"
            ) from error
        except KeysUnavailable as error:
            raise NoNews(str(error)) from error

    async def _ask(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            token = await self._credentials.own_token()
            headers = {"Authorization": f"Bearer {token.access_token}", "Accept": "application/json"}
            # The client's own limit is for each read: an answer that drips would hold everything up.
            async with (
                asyncio.timeout(_PATIENCE_SECONDS),
                self._http.stream(
                    "POST", self._stream, json=body, headers=headers, timeout=_PATIENCE_SECONDS
                ) as response,
            ):
                content = b""
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > _MAX_BYTES:
                        raise NoNews(f"its answer is longer than {_MAX_BYTES} bytes")
        except OAuthError as error:
            raise NoNews(f"there is no token to ask with ({error.error!r:.80})") from error
        except (httpx2.HTTPError, TimeoutError) as error:
            raise NoNews(f"it does not answer ({type(error).__name__})") from error
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            self._credentials.forget_own_token()
        if response.status_code != httpx2.codes.OK:
            raise NoNews(f"it answered {response.status_code}")
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise NoNews("its answer is no JSON") from error
        return answer if isinstance(answer, dict) else {}


class ReceiverSettings(Protocol):
    """What a service's settings say of its security events; no endpoint: it hears of nothing."""

    @property
    def security_events_endpoint(self) -> str: ...  # noqa: D102
    @property
    def issuer(self) -> str: ...  # noqa: D102
    @property
    def token_endpoint(self) -> str: ...  # noqa: D102
    @property
    def client_id(self) -> str: ...  # noqa: D102


def event_receiver(
    settings: ReceiverSettings, key: SigningKey, keys: RemoteKeySet, http: httpx2.AsyncClient, clock: Clock
) -> EventReceiver | None:
    """Return the receiver that the settings ask for, or None, which is said in the log."""
    if not settings.security_events_endpoint:
        _log.warning("SECURITY_EVENTS_ENDPOINT is empty: a token that was revoked lives until it expires")
        return None
    return EventReceiver(
        settings.security_events_endpoint,
        issuer=settings.issuer,
        token_endpoint=settings.token_endpoint,
        client_id=settings.client_id,
        key=key,
        keys=keys,
        http=http,
        clock=clock,
    )


def _printable(jti: str) -> str:
    """Return an identifier as JSON can carry it: half a character cannot be sent."""
    return jti.encode(errors="replace").decode()


@asynccontextmanager
async def receiving(receiver: EventReceiver | None) -> AsyncIterator[None]:
    """Let a receiver poll meanwhile; without one, nothing."""
    if receiver is None:
        yield
        return
    polling = asyncio.create_task(receiver.run())
    try:
        yield
    finally:
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling
