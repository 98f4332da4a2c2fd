"""HTTP as the suite speaks it: bounded in time, size and rate, no redirect followed, every exchange kept."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx2

from tests.e2e.evidence import FORM, Discretion, Evidence, Fields, shortened

_MAX_BYTES: Final = 1024 * 1024


class TransportFault(Exception):
    """No usable HTTP answer: nobody there, silence, an answer without end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    method: str
    url: str
    status: int
    headers: httpx2.Headers
    body: bytes

    @property
    def is_success(self) -> bool:
        """Tell whether the status is of the 2xx class."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode(errors="replace")

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty one if it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def listed(self, name: str) -> list[dict[str, Any]]:
        """Return the JSON objects in the list of this name; none where there is no such list."""
        value = self.json().get(name)
        return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

    def __str__(self) -> str:
        error = self.json().get("error") or self.headers.get("WWW-Authenticate", "")
        if isinstance(error, dict):
            error = error.get("message", "")
        return f"{self.status} {shortened(str(error))}".strip()


class Wire:
    """Sends requests, at most `requests_per_second` of them; `evidence` holds those since `forget`."""

    def __init__(
        self,
        *,
        timeout_seconds: float = 10.0,
        requests_per_second: float | None = None,
        verify: bool = True,
        by_proxy: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._interval = 1 / requests_per_second if requests_per_second else 0.0
        self._next_at = 0.0
        self._sleep = sleep
        self._verify = verify
        self._by_proxy = by_proxy
        self.discretion = Discretion()
        self._http = self._client()
        self.evidence: list[Evidence] = []

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def forget(self) -> None:
        """Begin a new list of evidence."""
        self.evidence = []

    def get(self, url: str, headers: Fields = ()) -> Answer:
        """Send a GET request."""
        return self.send("GET", url, headers)

    def post_form(self, url: str, form: Fields, headers: Fields = ()) -> Answer:
        """Send a form."""
        fields = [("Content-Type", FORM), *headers]
        return self.send("POST", url, fields, urlencode(form, errors="replace").encode())

    def send(self, method: str, url: str, headers: Fields = (), body: bytes | None = None) -> Answer:
        """Send a request and return its answer, whatever its status.

        Raises:
            TransportFault: no whole HTTP answer of bearable size came in time.
        """
        self._wait_for_turn()
        self.discretion.learn(headers, body or b"")
        shown = self.discretion.request(method, url, headers, body or b"")
        try:
            answer = self._send(method, url, headers, body)
        except TransportFault as fault:
            self.evidence.append(Evidence(shown, f"no answer: {self.discretion.hide(str(fault))}"))
            raise
        received = answer.headers.multi_items()
        self.discretion.learn(received, b"", answer.body)
        self.evidence.append(Evidence(shown, self.discretion.answer(answer.status, received, answer.text)))
        return answer

    def _client(self) -> httpx2.Client:
        """Make a client. What is on this machine is asked directly, whatever proxy the environment names.

        Raises:
            UnsoundRun: the environment names a proxy or certificates that cannot be used.
        """
        try:
            return httpx2.Client(
                timeout=self._timeout_seconds,
                verify=self._verify,
                follow_redirects=False,
                trust_env=self._by_proxy,
            )
        except (ValueError, ImportError, OSError, httpx2.InvalidURL) as error:
            raise TransportFault(
                f"the environment's proxy or certificates cannot be used: {error}"
            ) from error

    def _send(self, method: str, url: str, headers: Fields, body: bytes | None) -> Answer:
        # httpx2's own timeout is for each read: a server that drips would hold the whole run up.
        late = threading.Event()
        alarm = threading.Timer(self._timeout_seconds, self._give_up, [late])
        alarm.start()
        where = url.partition("?")[0]
        try:
            urlsplit(url)
            return self._exchange(method, url, headers, body)
        except httpx2.TimeoutException as error:
            raise TransportFault(f"{where} did not answer in {self._timeout_seconds:g} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RuntimeError, OSError) as error:
            if late.is_set():
                raise TransportFault(f"{where} did not answer in {self._timeout_seconds:g} s") from error
            raise TransportFault(f"{where} cannot be used: {shortened(str(error))}") from error
        finally:
            alarm.cancel()
            if late.is_set():
                self._http = self._client()

    def _give_up(self, late: threading.Event) -> None:
        late.set()
        self._http.close()

    def _exchange(self, method: str, url: str, headers: Fields, body: bytes | None) -> Answer:
        # Cookies are the sign-on driver's business: it keeps its own and sends them as a header.
        self._http.cookies.clear()
        with self._http.stream(method, url, headers=list(headers), content=body) as response:
            received = b""
            for chunk in response.iter_bytes():
                received += chunk
                if len(received) > _MAX_BYTES:
                    raise TransportFault(f"{response.url.path} answers more than {_MAX_BYTES} bytes")
            return Answer(method, url, response.status_code, response.headers, received)

    def _wait_for_turn(self) -> None:
        now = time.monotonic()
        if now < self._next_at:
            self._sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + self._interval
