"""How an operation is called: by REST, or by MCP as a tool. A check is the same by either."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from tests.e2e.evidence import Fields
from tests.e2e.target_file import McpFile, OperationFile
from tests.e2e.verdict import NotRun
from tests.e2e.wire import Answer, Wire

_ACCEPT: Final = "application/json, text/event-stream"
_META: Final = "io.modelcontextprotocol/"
_ERRORS: Final = range(400, 600)
_BAD_REQUEST: Final = 400
_FORBIDDEN: Final = 403


@dataclass(frozen=True, slots=True)
class Call:
    """One call: of what, at which instance of the resource, and what comes with it besides the token."""

    operation: OperationFile
    url: str
    headers: Fields
    query: Fields = ()
    idempotency_key: str = ""

    def address(self, path: str) -> str:
        """Return where a path is called, with the query."""
        mark = "&" if "?" in path else "?"
        return f"{self.url}{path}{mark}{urlencode(self.query)}" if self.query else f"{self.url}{path}"


class Caller(Protocol):
    """Calls operations by one transport."""

    def call(self, call: Call) -> Answer:
        """Make the call; the answer has the status that it has by REST."""
        ...


class RestCaller:
    """Calls operations by method and path."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def call(self, call: Call) -> Answer:
        """Make the call."""
        operation, headers = call.operation, list(call.headers)
        content = json.dumps(operation.body).encode() if operation.body else None
        if content:
            headers.append(("Content-Type", "application/json"))
        if call.idempotency_key:
            headers.append((operation.idempotency_header, call.idempotency_key))
        return self._wire.send(operation.method, call.address(operation.path), headers, content)


class McpCaller:
    """Calls operations by `tools/call` (Model Context Protocol, streamable HTTP, without a session)."""

    def __init__(self, wire: Wire, file: McpFile) -> None:
        self._wire = wire
        self._file = file

    def call(self, call: Call) -> Answer:
        """Make the call.

        The answer has what the tool told for its body. Where the refusal is not one of HTTP, its status is
        the code of the JSON-RPC error, or `status` of the problem that the tool told; else 400 and 403.

        Raises:
            NotRun: the target file names no tool for the operation.
        """
        return self.send(call, [arguments_of(call)])

    def send(self, call: Call, arguments: Sequence[Mapping[str, Any]]) -> Answer:
        """Make the call with these arguments: more than one, and the message has the member several times."""
        tool = call.operation.tool
        if tool is None:
            raise NotRun("By MCP it takes a tool for each operation: tool in [resource.read] and the others.")
        headers = [("Accept", _ACCEPT), ("Content-Type", "application/json")]
        headers.append(("MCP-Protocol-Version", self._file.revision))
        params = [f'"name": {json.dumps(tool)}', *(f'"arguments": {json.dumps(one)}' for one in arguments)]
        if self._file.revision == "2026-07-28":
            headers += [("Mcp-Method", "tools/call"), ("Mcp-Name", tool)]
            meta = {"protocolVersion": self._file.revision, "clientCapabilities": {}}
            meta |= {"clientInfo": {"name": "conformance", "version": "1"}}
            params.append(f'"_meta": {json.dumps({f"{_META}{name}": one for name, one in meta.items()})}')
        message = f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {{{", ".join(params)}}}}}'
        url = call.address(self._file.path)
        return _as_by_rest(self._wire.send("POST", url, [*headers, *call.headers], message.encode()))


def arguments_of(call: Call) -> dict[str, Any]:
    """Return the arguments that the tool takes in the place of path, body and idempotency key."""
    operation = call.operation
    arguments = dict(operation.arguments if operation.arguments is not None else operation.body or {})
    if call.idempotency_key:
        arguments[operation.idempotency_argument] = call.idempotency_key
    return arguments


def _as_by_rest(answer: Answer) -> Answer:
    message = _message(answer)
    if not answer.is_success or not message.keys() & {"result", "error"}:
        return answer
    if "error" in message:
        code = message["error"].get("code") if isinstance(message["error"], dict) else None
        return replace(answer, status=_status(code, _BAD_REQUEST), body=_json(message))
    result = message["result"] if isinstance(message["result"], dict) else {}
    told = result.get("structuredContent")
    body = _json(told) if isinstance(told, dict) else _text(result).encode()
    answer = replace(answer, body=body)
    if result.get("isError") is not True:
        return answer
    return replace(answer, status=_status(answer.json().get("status"), _FORBIDDEN))


def _status(told: object, otherwise: int) -> int:
    return told if isinstance(told, int) and told in _ERRORS else otherwise


def _message(answer: Answer) -> dict[str, Any]:
    """Return the JSON-RPC response in an answer, or in the last event of a stream of them."""
    if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        return answer.json()
    events = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data:")]
    return replace(answer, body=events[-1].encode()).json() if events else {}


def _text(result: dict[str, Any]) -> str:
    content = result.get("content")
    parts = content if isinstance(content, list) else []
    return "".join(str(one.get("text", "")) for one in parts if isinstance(one, dict))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
