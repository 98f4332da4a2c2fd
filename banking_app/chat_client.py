"""The chatbot's interface: a question with the subject token, answered as server-sent events."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx2

from banking_app.chat_events import ChatEvent, UnusableEvent, chat_event
from banking_app.service_http import Service, authorized

MAX_QUESTION: Final = 2_000
_PATIENCE: Final = httpx2.Timeout(10.0, connect=3.0, read=120.0)
"""A model may think for long between two pieces of its answer."""
_MAX_EVENT_BYTES: Final = 256 * 1024


class ChatClient:
    """Asks the assistant. Every method raises `Failure` when there is no answer."""

    def __init__(self, base_url: str, http: httpx2.Client) -> None:
        self._url = f"{base_url}/chat"
        self._http = http
        self._service = Service(http, "chatbot", "The assistant cannot be reached.")

    def ask(self, subject_token: str, question: str) -> Iterator[ChatEvent]:
        """Yield what the chatbot streams, as it comes, until it is done."""
        with self._stream(subject_token, question) as response:
            try:
                for sent in httpx2.EventSource(response, _MAX_EVENT_BYTES):
                    event = chat_event(sent)
                    if event is not None:
                        yield event
            except httpx2.HTTPError:
                raise self._service.down("broke off in the middle of its answer") from None
            except UnusableEvent as error:
                raise self._service.down(f"sent what cannot be read ({error})") from None

    def forget(self, subject_token: str) -> None:
        """Make the chatbot forget this customer's conversation."""
        self._service.call("DELETE", self._url, subject_token)

    @contextmanager
    def _stream(self, subject_token: str, question: str) -> Iterator[httpx2.Response]:
        request = self._http.build_request(
            "POST",
            self._url,
            json={"message": question},
            headers=authorized(subject_token) | {"Accept": "text/event-stream"},
            timeout=_PATIENCE,
        )
        try:
            response = self._http.send(request, stream=True)
        except httpx2.HTTPError:
            raise self._service.down() from None
        try:
            self._check(response)
            yield response
        finally:
            response.close()

    def _check(self, response: httpx2.Response) -> None:
        if response.is_success:
            return
        if response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
            raise self._service.down(f"answered {response.status_code}")
        try:
            response.read()
        except httpx2.HTTPError:
            raise self._service.down("broke off in the middle of its answer") from None
        raise self._service.refused(response)
