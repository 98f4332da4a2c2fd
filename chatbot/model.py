"""The model behind the assistant: any that speaks Chat Completions with tools, or the offline one."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk, ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

from chatbot.conversation import Message
from chatbot.offline_model.app import BASE_URL, create_offline_model
from chatbot.settings import Settings

_MAX_TOKENS: Final = 1_500
_MAX_CHARACTERS: Final = 16_000
_MAX_CALLS: Final = 8
_MALFORMED: Final = (AttributeError, LookupError, TypeError, ValueError)
"""What reading a malformed answer may raise: the client checks nothing of what it is sent."""
_PLACEHOLDER_KEY: Final = "none"
"""The client refuses to start without a key, which a local model does not want."""


class ModelFailed(Exception):
    """The model gave no usable answer. The text says why, and repeats nothing that its server said."""


@dataclass(slots=True)
class ToolCall:
    """A tool call of the model: `arguments` is what it wrote, not yet read as JSON."""

    call_id: str
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class Reply:
    """One message of the model."""

    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)

    def as_message(self) -> Message:
        """Return the reply in the form of the protocol."""
        message: Message = {"role": "assistant", "content": self.text or None}
        if self.calls:
            message["tool_calls"] = [
                {
                    "id": call.call_id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in self.calls
            ]
        return message


def model_client(settings: Settings) -> openai.AsyncOpenAI:
    """Return the client of the model that the settings name; of the offline one if they name none."""
    key = settings.openai_api_key.get_secret_value()
    if not key and not settings.openai_base_url:
        transport = httpx2.ASGITransport(create_offline_model(), raise_app_exceptions=False)
        http = httpx2.AsyncClient(transport=transport)
        return openai.AsyncOpenAI(
            api_key=_PLACEHOLDER_KEY, base_url=BASE_URL, http_client=http, max_retries=0
        )
    return openai.AsyncOpenAI(
        api_key=key or _PLACEHOLDER_KEY,
        base_url=settings.openai_base_url or "https://api.openai.com/v1",
        max_retries=1,
    )


class Model:
    """Asks the model for its next message, within bounds of time and length."""

    def __init__(self, client: openai.AsyncOpenAI, name: str, timeout_seconds: float) -> None:
        self._client = client
        self._name = name
        self._timeout_seconds = timeout_seconds

    async def reply(
        self,
        messages: Sequence[Message],
        tools: Iterable[ChatCompletionFunctionToolParam],
        on_text: Callable[[str], None],
        *,
        may_call: bool = True,
    ) -> Reply:
        """Return the next message; `on_text` gets its text as it comes. `may_call` False asks for words only.

        Raises:
            ModelFailed: no answer, none in time, a malformed or an endless one.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._stream(messages, tools, on_text, may_call=may_call)
        except (TimeoutError, openai.APITimeoutError) as error:
            raise ModelFailed(
                f"The model did not answer within {self._timeout_seconds:g} seconds."
            ) from error
        except openai.APIConnectionError as error:
            raise ModelFailed("The model cannot be reached, or it broke off its answer.") from error
        except openai.APIStatusError as error:
            raise ModelFailed(f"The model's server answered {error.status_code}.") from error
        except (openai.OpenAIError, httpx2.HTTPError, *_MALFORMED) as error:
            raise ModelFailed("The model's answer cannot be read.") from error

    async def _stream(
        self,
        messages: Sequence[Message],
        tools: Iterable[ChatCompletionFunctionToolParam],
        on_text: Callable[[str], None],
        *,
        may_call: bool,
    ) -> Reply:
        stream = await self._client.chat.completions.create(
            model=self._name,
            messages=cast(list[ChatCompletionMessageParam], messages),
            tools=tools,
            tool_choice="auto" if may_call else "none",
            max_completion_tokens=_MAX_TOKENS,
            stream=True,
        )
        reply, finished = Reply(), False
        async with stream:
            async for chunk in stream:
                finished = _take(chunk, reply, on_text) or finished
        if not finished:
            raise ModelFailed("The model broke off its answer.")
        return reply


def _take(chunk: ChatCompletionChunk, reply: Reply, on_text: Callable[[str], None]) -> bool:
    """Add a chunk to the reply; tell whether it says that the reply is finished."""
    if not chunk.choices:
        return False
    choice = chunk.choices[0]
    if choice.delta.content:
        reply.text += choice.delta.content
        on_text(choice.delta.content)
    for part in choice.delta.tool_calls or ():
        _add(part, reply.calls)
    if len(reply.text) + sum(len(call.arguments) for call in reply.calls) > _MAX_CHARACTERS:
        raise ModelFailed("The model's answer is too long.")
    return choice.finish_reason is not None


def _add(part: ChoiceDeltaToolCall, calls: list[ToolCall]) -> None:
    if part.index == len(calls) < _MAX_CALLS:
        calls.append(ToolCall(part.id or f"call_{secrets.token_hex(8)}"))
    if not 0 <= part.index < len(calls):
        raise ModelFailed("The model calls too many tools at once, or numbers them wrongly.")
    if part.function:
        calls[part.index].name += part.function.name or ""
        calls[part.index].arguments += part.function.arguments or ""
