"""HTTP as the suite speaks it: bounded in time, size and rate, no redirect followed, every exchange kept."""

import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus, urlencode, urlsplit

import httpx2

Fields = Sequence[tuple[str, str]]

FORM: Final = "application/x-www-form-urlencoded"
_MAX_BYTES: Final = 1024 * 1024
_SHOWN_CHARACTERS: Final = 800
_JWT: Final = re.compile(r"(eyJ[\w-]{6})[\w-]*\.[\w-]+(\.[\w-]*)?")
_SECRET: Final = (
    "access_token|actor_token|client_assertion|client_secret|code|code_verifier|csrf|id_token|id_token_hint|"
    "password|refresh_token|subject_token|token"
)
_SECRET_PARAMETER: Final = re.compile(rf"(?<![\w-])({_SECRET})=([^&\s]{{0,8}})[^&\s]*")
_SECRET_MEMBER: Final = re.compile(rf'"({_SECRET})"\s*:\s*"([^"]{{0,8}})[^"]*"')
_SECRET_PART: Final = re.compile(rf'name="({_SECRET})"(\r?\n){{2}}([^\r\n]{{0,8}})[^\r\n]*')
_BEARER: Final = re.compile(r"(?i)\b(bearer) ([\w.~+/-]{8})[\w.~+/=-]+")
_SECRET_HEADERS: Final = frozenset({"cookie", "set-cookie"})


class TransportFault(Exception):
    """No usable HTTP answer: nobody there, silence, an answer without end."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One request and its answer as a report shows them: tokens shortened, secrets left out."""

    request: str
    answer: str


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

    def __str__(self) -> str:
        error = self.json().get("error") or self.headers.get("WWW-Authenticate", "")
        return f"{self.status} {shortened(str(error))}".strip()


class Wire:
    """Sends requests, at most `requests_per_second` of them; `evidence` holds those since `forget`."""

    def __init__(
        self,
        *,
        timeout_seconds: float = 10.0,
        requests_per_second: float | None = None,
        verify: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._interval = 1 / requests_per_second if requests_per_second else 0.0
        self._next_at = 0.0
        self._sleep = sleep
        self._verify = verify
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
        return self.send("POST", url, fields, urlencode(form).encode())

    def send(self, method: str, url: str, headers: Fields = (), body: bytes | None = None) -> Answer:
        """Send a request and return its answer, whatever its status.

        Raises:
            TransportFault: no whole HTTP answer of bearable size came in time.
        """
        self._wait_for_turn()
        shown = _shown_request(method, url, headers, body)
        try:
            answer = self._send(method, url, headers, body)
        except TransportFault as fault:
            self.evidence.append(Evidence(shown, f"no answer: {fault}"))
            raise
        self.evidence.append(Evidence(shown, _shown_answer(answer)))
        return answer

    def _client(self) -> httpx2.Client:
        return httpx2.Client(timeout=self._timeout_seconds, verify=self._verify, follow_redirects=False)

    def _send(self, method: str, url: str, headers: Fields, body: bytes | None) -> Answer:
        # httpx2's own timeout is for each read: a server that drips would hold the whole run up.
        late = threading.Event()
        alarm = threading.Timer(self._timeout_seconds, self._give_up, [late])
        alarm.start()
        where = urlsplit(url)._replace(query="", fragment="").geturl()
        try:
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


def shortened(text: str) -> str:
    """Return a text without any whole token or other secret in it."""
    text = _JWT.sub(r"\1…", text)
    text = _SECRET_PARAMETER.sub(lambda m: f"{m[1]}={_beginning(m[2])}", text)
    text = _SECRET_MEMBER.sub(lambda m: f'"{m[1]}":"{_beginning(m[2])}"', text)
    text = _SECRET_PART.sub(lambda m: f'name="{m[1]}"{m[2] * 2}{_beginning(m[3])}', text)
    return _BEARER.sub(lambda m: f"{m[1]} {_beginning(m[2])}", text)


def _beginning(value: str) -> str:
    """Return what may be shown of a secret: the beginning of a token, and nothing of what is short."""
    return f"{value}…" if value.startswith("eyJ") else "…"


def _clipped(text: str) -> str:
    text = shortened(text)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}… ({len(text)} characters)"


def _shown_headers(headers: Fields) -> list[str]:
    return [
        f"{name}: {'…' if name.lower() in _SECRET_HEADERS else _clipped(_without_basic(value))}"
        for name, value in headers
    ]


def _without_basic(value: str) -> str:
    return "Basic …" if value.lower().startswith("basic ") else value


def _shown_request(method: str, url: str, headers: Fields, body: bytes | None) -> str:
    lines = [f"{method} {_clipped(url)}", *_shown_headers(headers)]
    if body:
        is_form = any(value == FORM for _, value in headers)
        lines += ["", _clipped(_readable(body) if is_form else body.decode(errors="replace"))]
    return "\n".join(lines)


def _readable(form: bytes) -> str:
    """Return a form a parameter a line, decoded; shortened before, as long as each value ends at its `&`."""
    return "\n&".join(map(unquote_plus, shortened(form.decode(errors="replace")).split("&")))


def _shown_answer(answer: Answer) -> str:
    shown = [(n, v) for n, v in answer.headers.multi_items() if n.lower() not in {"date", "server"}]
    return "\n".join([str(answer.status), *_shown_headers(shown), "", _clipped(answer.text)]).rstrip()
