"""A service has the head of its chain of records signed by the authorization server."""

from datetime import datetime
from typing import Final

import httpx2

from delegation.client_credentials import ClientCredentials
from delegation.oauth_error import OAuthError
from delegation.record_chain import Head
from delegation.record_checkpoint import NoSignature

CHECKPOINT_SCOPE: Final = "audit:checkpoint"
"""What the token is good for with which a signature is asked for."""

_TIMEOUT_SECONDS: Final = 5.0


class CheckpointClient:
    """Asks at `endpoint` under the service's own token."""

    def __init__(self, endpoint: str, credentials: ClientCredentials, http: httpx2.AsyncClient) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._http = http

    async def sign(self, head: Head, is_cut: bool, _now: datetime) -> str:  # noqa: FBT001 - as `Sign` has it
        """Return the signed checkpoint; its time is the authorization server's.

        Raises:
            NoSignature: it cannot be had now.
        """
        body = {"position": head.position, "hash": head.hash, "cut": is_cut, "unchained": head.unchained}
        try:
            token = await self._credentials.own_token()
            response = await self._http.post(
                self._endpoint,
                json=body,
                headers={"Authorization": f"Bearer {token.access_token}"},
                timeout=_TIMEOUT_SECONDS,
                follow_redirects=False,
            )
        except OAuthError as error:
            raise NoSignature(f"there is no token to ask with: {error.error}") from error
        except httpx2.HTTPError as error:
            raise NoSignature(f"{self._endpoint} does not answer ({type(error).__name__})") from error
        if response.status_code != httpx2.codes.OK:
            self._credentials.forget_own_token()
            raise NoSignature(f"{self._endpoint} answered {response.status_code}")
        return _checkpoint_in(response)


def _checkpoint_in(response: httpx2.Response) -> str:
    try:
        answer = response.json()
    except (ValueError, RecursionError) as error:
        raise NoSignature("the answer is no JSON") from error
    signed = answer.get("checkpoint") if isinstance(answer, dict) else None
    if not isinstance(signed, str):
        raise NoSignature("the answer has no checkpoint")
    return signed
