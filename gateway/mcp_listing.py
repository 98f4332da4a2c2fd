"""The tools of the MCP server behind the gateway, asked for with the token of whoever calls."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Final

from delegation.trace import outgoing_headers
from gateway.mcp_headers import repeated
from gateway.mcp_message import Message
from gateway.mcp_revision import LIST, MODERN
from gateway.strict_json import Ambiguous, NotJson, strict_json
from gateway.tool_definition import NoDefinition, ToolDefinition
from gateway.upstream import TimedOut, Upstream, UpstreamFault

PATH: Final = "/mcp"
_MOST_PAGES: Final = 16
_MOST_TOOLS: Final = 512
_LONGEST_PAGE: Final = 1024 * 1024
_SECONDS: Final = 5.0
_ID: Final = 1
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class BadListing(UpstreamFault):
    """The server's answer to `tools/list` is none that can be used."""

    kind = "tools-not-listed"
    reason = "The resource does not say which tools it has."
    next_step = "Nothing was done. Send the call again shortly."


async def listed_tools(upstream: Upstream, version: str, authorization: str) -> list[ToolDefinition]:
    """Return every tool that the server lists for this caller, in this revision of MCP.

    Raises:
        UpstreamFault: it gives no answer, or none that can be used.
    """
    found: list[ToolDefinition] = []
    cursor: dict[str, str] = {}
    try:
        async with asyncio.timeout(_SECONDS):
            for _ in range(_MOST_PAGES):
                result = await _page(upstream, version, authorization, cursor)
                found += [ToolDefinition.of(one) for one in result["tools"]]
                if len(found) > _MOST_TOOLS:
                    raise BadListing
                if result.get("nextCursor") is None:
                    return found
                cursor = {"cursor": str(result["nextCursor"])}
    except TimeoutError:
        raise TimedOut from None
    except (NotJson, Ambiguous, NoDefinition, KeyError, TypeError) as error:
        raise BadListing from error
    raise BadListing


async def _page(
    upstream: Upstream, version: str, authorization: str, cursor: dict[str, str]
) -> dict[str, Any]:
    meta: dict[str, Any] = dict(outgoing_headers())
    if version == MODERN:
        meta["io.modelcontextprotocol/protocolVersion"] = MODERN
        meta["io.modelcontextprotocol/clientInfo"] = {"name": "agent-gateway", "version": "1"}
        meta["io.modelcontextprotocol/clientCapabilities"] = {}
    message = Message(_ID, LIST, {**cursor, "_meta": meta})
    body = message.text()
    headers = [
        ("accept", "application/json, text/event-stream"),
        ("authorization", authorization),
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        *repeated(version, message),
        *outgoing_headers().items(),
    ]
    async with upstream.answer("POST", PATH, "", headers, _whole(body)) as answer:
        text = bytearray()
        async for piece in answer.content:
            text += piece
            if len(text) > _LONGEST_PAGE:
                raise BadListing
        types = [value for name, value in answer.headers if name.lower() == b"content-type"]
        streamed = bool(types) and types[0].lower().startswith(b"text/event-stream")
        if answer.status != 200:
            raise BadListing
    result = _response(bytes(text), streamed=streamed)["result"]
    if not isinstance(result, dict):
        raise BadListing
    return result


def _response(text: bytes, *, streamed: bool) -> dict[str, Any]:
    """Return the response among the messages of an answer, which may be one or a stream of events."""
    for message in _events(text) if streamed else [text]:
        value = strict_json(message)
        if isinstance(value, dict) and value.get("id") == _ID and "method" not in value:
            return value
    raise BadListing


def _events(text: bytes) -> list[bytes]:
    """Return the data of each event of a stream (HTML Living Standard §9.2.6)."""
    found, data = [], list[bytes]()
    for line in _LINE_END.split(text):
        if line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").removeprefix(b" "))
        elif not line and data:
            found.append(b"\n".join(data))
            data = []
    return [event for event in found if event]


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
