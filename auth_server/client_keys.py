"""The keys that clients authenticate with: at their `jwks_uri`, or uploaded to the registry (RFC 7591 §2)."""

from collections.abc import Mapping

import httpx2
from jwt import PyJWK

from auth_server.clients import Client
from delegation.clock import Clock
from delegation.jwks import KeysUnavailable, RemoteKeySet, UnknownKey, usable_keys


class ClientKeys:
    """Finds a client's key; what was fetched from a `jwks_uri` is kept as `RemoteKeySet` says."""

    def __init__(self, http: httpx2.AsyncClient, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._remote: dict[str, RemoteKeySet] = {}
        self._uploaded: dict[str, tuple[object, Mapping[str, PyJWK]]] = {}

    async def key(self, client: Client, kid: str) -> PyJWK:
        """Return the client's key with this id. Runs on the event loop.

        Raises:
            UnknownKey: the client has no such key.
            KeysUnavailable: its keys cannot be had.
        """
        if client.jwks_uri is not None:
            return await self._at(client.jwks_uri).key(kid)
        keys = self._uploaded_by(client)
        if not keys:
            raise KeysUnavailable("the client has no keys")
        if kid not in keys:
            raise UnknownKey("no key with this kid")
        return keys[kid]

    def _uploaded_by(self, client: Client) -> Mapping[str, PyJWK]:
        """Return the keys in the client's registration; to read one takes as long as to verify with it."""
        jwks, keys = self._uploaded.get(client.client_id, (None, {}))
        if jwks != client.jwks:
            keys = usable_keys({"keys": list(client.jwks)})
            self._uploaded[client.client_id] = client.jwks, keys
        return keys

    def _at(self, jwks_uri: str) -> RemoteKeySet:
        if jwks_uri not in self._remote:
            self._remote[jwks_uri] = RemoteKeySet(jwks_uri, self._http, self._clock)
        return self._remote[jwks_uri]
