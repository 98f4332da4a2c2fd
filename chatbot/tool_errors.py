"""Why a tool call did not work: in words for the model, with a hint for the trainer."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from chatbot import trainer_hints
from chatbot.events import Service
from chatbot.money import Money
from delegation.oauth_error import OAuthError
from delegation.scope import Scope

PERMISSIONS_PAGE: Final = "The customer can see and change what the assistant may do on the Permissions page."
_REFUSALS: Final = frozenset(
    {"invalid_request", "invalid_scope", "invalid_target", "invalid_grant", "access_denied"}
)
_NOT_AS_THIS_CLIENT: Final = frozenset({"invalid_client", "unauthorized_client"})
_MAX_ERRORS: Final = 5
_MAX_MESSAGE: Final = 600
_MAX_DETAILS: Final = 4_000
_STANDARD: Final = frozenset({"type", "title", "status", "detail", "instance"})
_TOKEN_REFUSED: Final = frozenset({401, 403})


class ToolError(Exception):
    """A tool call that failed. `code` is for programs, `message` for people; `details` are the bank's own.

    `hint` tells whoever shows the demo what to do about it. The model is never given it.
    """

    def __init__(
        self, code: str, message: str, details: Mapping[str, Any] | None = None, *, hint: str | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message[:_MAX_MESSAGE]
        self.details = dict(details or {})
        self.hint = hint

    def as_result(self) -> dict[str, Any]:
        """Return what the model is given in place of a result."""
        return {"error": {**self.details, "code": self.code, "message": self.message}}


def unknown_tool() -> ToolError:
    """The model called something that it was not offered."""
    return ToolError("unknown-tool", "There is no such tool. Use only the tools that are offered.")


def invalid_arguments(error: ValueError) -> ToolError:
    """The arguments do not fit the tool's schema. Says where, and repeats nothing of what was given."""
    if not isinstance(error, ValidationError):
        return ToolError("invalid-arguments", f"The arguments are not valid: {error}.")
    found = [
        f"{'.'.join(str(part) for part in each['loc']) or 'arguments'}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False, include_context=False)[:_MAX_ERRORS]
    ]
    return ToolError("invalid-arguments", "The arguments are not valid. " + "; ".join(found) + ".")


def too_many_calls() -> ToolError:
    """The question has used up its tool calls."""
    return ToolError("too-many-calls", "This question has had all its tool calls. Answer with what you have.")


def one_transfer_at_a_time() -> ToolError:
    """The question has had its transfer, and this is another one."""
    return ToolError(
        "one-transfer-at-a-time",
        "One transfer for one yes. This one was not made: repeat it to the customer and ask for a yes to it.",
    )


def exchange_refused(error: OAuthError, scope: Scope, purpose: str) -> ToolError:
    """The authorization server issued no delegation token for this scope."""
    if error.error in _REFUSALS and not error.undecided:
        return ToolError(
            "not-allowed",
            f"The customer has not allowed the assistant to {purpose}, or no longer. {PERMISSIONS_PAGE}",
            hint=trainer_hints.not_allowed(error, scope),
        )
    if error.error in _NOT_AS_THIS_CLIENT and not error.undecided:
        return ToolError(
            "assistant-stopped",
            f"The bank does not let the assistant {purpose} at the moment, whatever the customer allows: it "
            "may have suspended the assistant. Nothing was done.",
            hint=trainer_hints.stopped(error),
        )
    return ToolError(
        "unavailable",
        f"It is not possible to {purpose} now: the bank's authorization server gives no permission "
        "at the moment. Nothing was done. Try again later.",
        hint=trainer_hints.exchange_failed(error),
    )


def gateway_refused(reason: str, status: int, purpose: str) -> ToolError:
    """The gateway let the call not through."""
    return ToolError(
        "denied",
        f"The bank's gateway refused to let the assistant {purpose}: {reason}",
        hint=trainer_hints.gateway_denied(status),
    )


def against_policy(reason: str, status: int) -> ToolError:
    """A condition of the gateway's policy does not hold; `reason` is the policy's own text for people."""
    return ToolError(
        "against-policy", f"Nothing was done. {reason}", hint=trainer_hints.gateway_denied(status)
    )


def bank_problem(body: Mapping[str, Any], status: int, purpose: str) -> ToolError:
    """The account API refused: its problem document (RFC 9457), with its members beyond the standard ones."""
    kind, detail = body.get("type"), body.get("detail")
    if not isinstance(kind, str) or not isinstance(detail, str):
        return unusable_answer(purpose)
    if kind.endswith("/transfer-limit-exceeded"):
        return over_transfer_limit(body.get("limit"))
    details = {name: value for name, value in body.items() if name not in _STANDARD}
    fits = len(json.dumps(details)) <= _MAX_DETAILS
    hint = trainer_hints.resource_denied() if status in _TOKEN_REFUSED else None
    return ToolError(kind.rstrip("/").rsplit("/", 1)[-1], detail, details if fits else None, hint=hint)


def over_transfer_limit(limit: object) -> ToolError:
    """The transfer is for more than the assistant's token allows (RFC 9396); `limit` is the bank's money."""
    try:
        most = f" more than {Money.model_validate(limit)} at a time"
    except ValidationError:
        most = " so much at a time"
    return ToolError(
        "transfer-limit-exceeded",
        f"The bank does not let the assistant transfer{most}, whatever the customer allows. "
        "Nothing was transferred. Ask for a smaller amount.",
        hint=trainer_hints.over_transfer_limit(),
    )


def bank_down(service: Service, lack: str, purpose: str) -> ToolError:
    """No answer of the gateway or of the account API behind it, for a call that changes nothing."""
    return ToolError(
        "unavailable",
        f"It is not possible to {purpose} now: the bank does not answer. Try again later.",
        hint=trainer_hints.service_down(service, lack),
    )


def outcome_unknown(service: Service, lack: str) -> ToolError:
    """No usable answer to a transfer, which may have been made or not."""
    return ToolError(
        "outcome-unknown",
        "The bank did not answer, so it is not known whether the transfer was made. It will not be made "
        "twice: ask for the same transfer again, or look at the latest transactions.",
        hint=trainer_hints.service_down(service, lack),
    )


def unusable_answer(purpose: str) -> ToolError:
    """The bank answered something that cannot be read."""
    return ToolError(
        "unusable-answer",
        f"It is not possible to {purpose} now: the bank's answer cannot be read.",
        hint=trainer_hints.unreadable(),
    )
