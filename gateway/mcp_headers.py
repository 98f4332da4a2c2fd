"""The header fields of MCP's Streamable HTTP, and that they say what the body says (revision 2026-07-28)."""

from collections.abc import Collection
from typing import Final

from gateway.arguments import is_json
from gateway.decision import Deny
from gateway.mcp_field_value import decoded
from gateway.mcp_message import Message, Refused
from gateway.mcp_revision import CALL, INITIALIZE, MODERN, SERVED
from gateway.request_headers import RequestHeaders

VERSION: Final = "mcp-protocol-version"
_METHOD: Final = "mcp-method"
_NAME: Final = "mcp-name"
_META_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
_META_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
_ACCEPTED: Final = ("application/json", "text/event-stream")


def objection(headers: RequestHeaders) -> Deny | None:
    """Refuse a request whose body or whose answer would be of a type that MCP does not have."""
    if not is_json(headers.get("content-type", "")):
        reason = "The body must be JSON, and say so: content-type application/json."
        return Deny(415, "unsupported-media-type", reason, "Send one JSON-RPC message.")
    accepted = {part.partition(";")[0].strip().lower() for part in headers.get("accept", "").split(",")}
    if not all({"*/*", type_.split("/")[0] + "/*", type_} & accepted for type_ in _ACCEPTED):
        reason = "The client must take both application/json and text/event-stream, and say so in Accept."
        return Deny(406, "not-acceptable", reason, "Send the request with such an Accept field.")
    return None


def foreign_origin(headers: RequestHeaders, origins: Collection[str]) -> Deny | None:
    """Refuse a request that a web page made which is not known here: so none can be rebound to this door."""
    if all(origin in origins for origin in headers.getlist("origin")):
        return None
    reason = "Requests of web pages of this origin are not taken here."
    return Deny(403, "foreign-origin", reason, "Ask who runs this gateway to allow the origin.")


def is_modern(headers: RequestHeaders, message: Message) -> bool:
    """Tell whether a message is of the revision in which each one stands for itself."""
    return _value(headers, VERSION) == MODERN or _META_VERSION in message.meta


def agreed_version(headers: RequestHeaders, message: Message) -> str | None:
    """Return the revision that a message is of; None for an older one that does not say, as `initialize`.

    Raises:
        Refused: header and body do not agree, what must be there is missing, or the revision is not served.
    """
    for field in (VERSION, _METHOD, _NAME):
        if len(headers.getlist(field)) > 1:
            raise mismatch(f"The header {field} stands there twice.", message)
    version, modern = _value(headers, VERSION), is_modern(headers, message)
    if modern and message.id is not None:
        _check_meta(message)
    if version is None and (modern or message.method != INITIALIZE):
        raise mismatch(f"The header {VERSION} is missing.", message)
    if message.meta.get(_META_VERSION, version) != version:
        raise mismatch(f"The header {VERSION} is not the version in _meta.", message)
    said = _value(headers, _METHOD)
    if said != message.method and (said is not None or (modern and message.id is not None)):
        raise mismatch(f"The header {_METHOD} is not the body's method.", message)
    if version is not None and version not in SERVED:
        reason = "This revision of MCP is not served here."
        next_step = f"Use one of {', '.join(SERVED)}."
        raise Refused(Deny(400, "unsupported-protocol-version", reason, next_step), message.id)
    return version


def check_name(headers: RequestHeaders, message: Message) -> None:
    """Raise `Refused` where a message that is let through names something else than its header."""
    name = message.params.get("name") if message.method == CALL else None
    value = _value(headers, _NAME)
    if value is None and not (is_modern(headers, message) and message.id is not None):
        return
    if (None if value is None else decoded(value)) != name:
        raise mismatch(f"The header {_NAME} is not the name in the body.", message)


def _value(headers: RequestHeaders, field: str) -> str | None:
    """Return a field's value, without the whitespace around it, which is none of it (RFC 9110 §5.5)."""
    value = headers.get(field)
    return None if value is None else value.strip(" \t")


def repeated(version: str | None, message: Message) -> list[tuple[str, str]]:
    """Return the fields that go on to the server: written from the body that was judged."""
    if version is None:
        return []
    fields = [(VERSION, version)]
    if version == MODERN and message.id is not None:
        fields.append((_METHOD, message.method))
        if message.method == CALL:
            fields.append((_NAME, message.params["name"]))
    return fields


def _check_meta(message: Message) -> None:
    missing = [key for key in (_META_VERSION, _META_CAPABILITIES) if key not in message.meta]
    if missing:
        reason = f"_meta lacks {' and '.join(missing)}."
        raise Refused(Deny(400, "invalid-params", reason, "Send it with every request."), message.id)


def mismatch(reason: str, message: Message) -> Refused:
    """Return the refusal of a message whose header fields say something else than it."""
    next_step = "Send the header fields as the body says, or leave them out where the revision has none."
    return Refused(Deny(400, "header-mismatch", reason, next_step), message.id)
