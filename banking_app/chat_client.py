"""The chatbot's interface: a question with the subject token, answered as server-sent events."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx2

from banking_app.chat_events import ChatEvent, UnusableEvent, chat_event
from banking_app.failures import QuestionTooLong, ServiceDown
from banking_app.service_http import Service, authorized

MAX_QUESTION: Final = 2_000
_LONGEST_SILENCE_SECONDS: Final = 20.0
"""A model may think for longer, but the chatbot sends a comment every 15 seconds meanwhile."""
_MAX_EVENT_BYTES: Final = 256 * 1024


class ChatClient:
    """Asks the assistant. Every method raises `Failure` when there is no answer."""

    def __init__(
        self, base_url: str, http: httpx2.Client, longest_silence_seconds: float = _LONGEST_SILENCE_SECONDS
    ) -> None:
        self._url = f"{base_url}/chat"
        self._http = http
        self._silence_seconds = longest_silence_seconds
        self._service = Service(http, "chatbot", "The assistant cannot be reached.")

    def ask(self, subject_token: str, question: str) -> Iterator[ChatEvent]:
        """Yield what the chatbot streams, as it comes, until it is done."""
        if len(question) > MAX_QUESTION:
            raise QuestionTooLong(len(question), MAX_QUESTION)
        with self._stream(subject_token, question) as response:
            try:
                for sent in httpx2.EventSource(response, _MAX_EVENT_BYTES):
                    event = chat_event(sent)
                    if event is not None:
                        yield event
            except httpx2.HTTPError as error:
                raise self._broken_off(error) from None
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
            timeout=httpx2.Timeout(self._silence_seconds, connect=3.0),
        )
        try:
            response = self._http.send(request, stream=True)
        except httpx2.ReadTimeout as error:
            raise self._broken_off(error) from None
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
        except httpx2.HTTPError as error:
            raise self._broken_off(error) from None
        raise self._service.refused(response)

    def _broken_off(self, error: httpx2.HTTPError) -> ServiceDown:
        if isinstance(error, httpx2.ReadTimeout):
            return self._service.down(f"was silent for {self._silence_seconds:g} seconds")
        return self._service.down("broke off in the middle of its answer")
