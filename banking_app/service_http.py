"""Calls to the other services: bounded in time, traced, and every way of failing made a `Failure`."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict, ValidationError

from banking_app.failures import Failure, Refused, ServiceDown, TokenRefused
from delegation.trace import outgoing_headers

TIMEOUT: Final = httpx2.Timeout(10.0, connect=3.0)


class Document(BaseModel):
    """An answer of another service: what we read of it is checked, what we do not know is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


Kind = TypeVar("Kind", bound=Document)


def authorized(token: str) -> dict[str, str]:
    """Return the headers of a call with this access token, within the current trace."""
    return {"Authorization": f"Bearer {token}", "Accept": "application/json", **outgoing_headers()}


class Service:
    """One other service, by the name and the words that a failure of it is told in."""

    def __init__(self, http: httpx2.Client, name: str, consequence: str) -> None:
        self._http = http
        self._name = name
        self._consequence = consequence

    def call(
        self,
        method: str,
        url: str,
        token: str,
        params: Mapping[str, str | int] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> httpx2.Response:
        """Call with an access token, and with a JSON object where there is one to send.

        Raises:
            ServiceDown: no answer, or a 5xx.
            TokenRefused: 401.
            Refused: any other status that is not a success.
        """
        try:
            response = self._http.request(
                method,
                url,
                headers=authorized(token),
                params=params,
                json=json,
                timeout=TIMEOUT,
                follow_redirects=False,
            )
        except httpx2.HTTPError:
            raise self.down() from None
        if response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
            raise self.down(f"answered {response.status_code}")
        if not response.is_success:
            raise self.refused(response)
        return response

    def down(self, lack: str = "did not answer") -> ServiceDown:
        """Return the failure that says this service gave no usable answer."""
        return ServiceDown(self._name, self._consequence, lack)

    def refused(self, response: httpx2.Response) -> Failure:
        """Return the failure that tells a problem document (RFC 9457) or an OAuth error on."""
        challenge = response.headers.get("WWW-Authenticate", "")[:500]
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            return TokenRefused(self._name, challenge)
        problem = _json_object(response)
        said = problem.get("detail") or problem.get("error_description") or problem.get("title")
        hint = f"The {self._name} answered {response.status_code}. {challenge}"
        return Refused(str(said or self._consequence)[:500], hint.strip())

    def document(self, response: httpx2.Response, kind: type[Kind]) -> Kind:
        """Read an answer as a document.

        Raises:
            ServiceDown: it is none.
        """
        try:
            return kind.model_validate_json(response.content)
        except ValidationError:
            raise self.down("sent an answer in another shape than agreed") from None


def _json_object(response: httpx2.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
