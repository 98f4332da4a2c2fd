"""Somebody else's public keys, fetched from their `jwks_uri` and kept (RFC 7517 §5)."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from delegation.clock import Clock, utc_now
from delegation.unverifiable import Unverifiable

_FRESH: Final = timedelta(minutes=5)
"""How long keys serve without a look at their source; a removed key dies within this time."""
_LAST_GOOD: Final = timedelta(hours=1)
"""How long keys serve while their source does not answer; after this the answer is no."""
_BETWEEN_FETCHES: Final = timedelta(seconds=5)
_BETWEEN_FAILURES: Final = timedelta(seconds=1)
_MAX_BYTES: Final = 64 * 1024
_TIMEOUT_SECONDS: Final = 3.0


class KeysUnavailable(Unverifiable):
    """No usable keys: nothing can be verified, so nothing may be allowed."""

    lack = "The issuer's keys"


class UnknownKey(Exception):
    """The source has no such key."""


class RemoteKeySet:
    """The keys at one `jwks_uri`.

    An unknown `kid` causes one fetch, and at most one every five seconds whatever callers send. A failed
    fetch forgets nothing: the last good keys serve for an hour. A source that answers with a set that has
    no usable key has withdrawn its keys: then there are none.
    """

    def __init__(self, jwks_uri: str, http: httpx2.AsyncClient, clock: Clock = utc_now) -> None:
        self.jwks_uri = jwks_uri
        self._http = http
        self._clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at: datetime | None = None
        self._next_fetch_at: datetime | None = None
        self._one_fetch = asyncio.Lock()

    async def key(self, kid: str) -> PyJWK:
        """Return the key with this id.

        Raises:
            UnknownKey: the source was asked and does not have it.
            KeysUnavailable: there are no keys that may still be relied on.
        """
        fresh = self.fresh_key(kid, self._clock())
        if fresh is not None:
            return fresh
        await self._fetch_if_due(kid)
        if not self._younger_than(_LAST_GOOD):
            raise KeysUnavailable(f"the keys at {self.jwks_uri} cannot be had")
        if kid not in self._keys:
            raise UnknownKey("no key with this kid")
        return self._keys[kid]

    def fresh_key(self, kid: str, now: datetime) -> PyJWK | None:
        """Return the key with this id, if that is known without asking the source."""
        is_fresh = self._fetched_at is not None and abs(now - self._fetched_at) < _FRESH
        return self._keys.get(kid) if is_fresh else None

    async def ready(self) -> bool:
        """Tell whether there are keys to verify with, fetching them if need be."""
        if not self._younger_than(_FRESH):
            await self._fetch_if_due(None)
        return bool(self._keys) and self._younger_than(_LAST_GOOD)

    def _younger_than(self, age: timedelta) -> bool:
        # A clock that was set back makes nothing young again.
        return self._fetched_at is not None and abs(self._clock() - self._fetched_at) < age

    async def _fetch_if_due(self, kid: str | None) -> None:
        async with self._one_fetch:
            if kid in self._keys and self._younger_than(_FRESH):
                return
            asked_at = self._clock()
            if self._next_fetch_at is not None and asked_at < self._next_fetch_at:
                return
            keys = await self._fetch()
            # Counted from the fetch's end: whoever waited for one that timed out does not begin the next.
            answered_at = self._clock()
            if keys is None:
                self._next_fetch_at = answered_at + _BETWEEN_FAILURES
            else:
                self._keys = {kid: self._same(kid, key) for kid, key in keys.items()}
                self._fetched_at = asked_at
                self._next_fetch_at = answered_at + _BETWEEN_FETCHES

    def _same(self, kid: str, key: PyJWK) -> PyJWK:
        # A key that has not changed stays one object: who has verified something with it can tell.
        before = self._keys.get(kid)
        is_same = before is not None and (before.algorithm_name, before.key) == (key.algorithm_name, key.key)
        return before if before is not None and is_same else key

    async def _fetch(self) -> dict[str, PyJWK] | None:
        """Return the source's keys, or None when it gives no JWK set."""
        try:
            # httpx2's own timeout is for each read: a source that drips would hold everybody up.
            async with (
                asyncio.timeout(_TIMEOUT_SECONDS),
                self._http.stream("GET", self.jwks_uri, follow_redirects=False) as response,
            ):
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MAX_BYTES:
                        return None
            return usable_keys(json.loads(body)) if response.status_code == httpx2.codes.OK else None
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError, RecursionError):
            return None


def usable_keys(document: object) -> dict[str, PyJWK]:
    """Return the asymmetric signature keys of a JWK set by `kid`; what cannot be used is passed over.

    Raises:
        ValueError: the document is no JWK set.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a JWK set")
    keys = map(_usable_key, entries)
    return {key.key_id: key for key in keys if key is not None and key.key_id is not None}


def _usable_key(entry: object) -> PyJWK | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("kid"), str):
        return None
    if entry.get("kty") not in ("EC", "RSA", "OKP") or entry.get("use", "sig") != "sig":
        return None
    public: dict[str, Any] = {name: value for name, value in entry.items() if name != "d"}
    try:
        return PyJWK.from_dict(public)
    except (PyJWTError, NotImplementedError, TypeError):  # each of them for another fault of the key
        return None
