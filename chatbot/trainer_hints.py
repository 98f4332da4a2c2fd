"""What the trainer should know about a failed tool call, and do next. The model is told none of it."""

from typing import Final

from chatbot.events import Service
from delegation.oauth_error import OAuthError
from delegation.scope import Scope

_NAMES: Final[dict[Service, str]] = {
    "auth_server": "authorization server",
    "gateway": "gateway",
    "account_api": "account API",
}
_SERVER_ERROR: Final = 500


def service_down(service: Service, lack: str) -> str:
    """A service gave no usable answer; `lack` says what it did instead."""
    return (
        f"The {_NAMES[service]} {lack}. See its log and its /readyz. If it is not running, start it with "
        f"“docker compose start {service}”, or all five again with “make demo”. When it is back, ask again."
    )


def exchange_failed(error: OAuthError) -> str:
    """There is no delegation token, for a reason that the customer cannot mend."""
    if error.undecided:
        return service_down("auth_server", f"answered {error.status}" if error.status else "did not answer")
    return f"The authorization server's answer is none that the assistant knows ({error.error}). See its log."


def stopped(error: OAuthError) -> str:
    """The authorization server refuses the agent itself: it was suspended, or its key is not known."""
    said = f"{error.error}: {error.description}".rstrip(": ")
    return (
        f"The authorization server refused the assistant itself ({said}). If the agent was suspended, resume "
        "it in the console, or with “python -m auth_server agents resume …”. If not, compare the chatbot's "
        "CLIENT_ID and the key at its /jwks.json with what the authorization server knows of this client."
    )


def not_allowed(error: OAuthError, scope: Scope) -> str:
    """The customer's grant does not cover this scope, or there is none."""
    return (
        f"The authorization server refused the exchange for {scope} ({error.error}): the customer did not "
        "give this permission, or has withdrawn it. Give it on the Permissions page, then ask again. If it "
        "is given there, the agent may be limited to other customers: the console shows it."
    )


def gateway_denied(status: int) -> str:
    """The gateway's decision is no."""
    if status >= _SERVER_ERROR:
        return (
            "The gateway lacks what it needs to decide, so its answer is no. Its /readyz names what it lacks."
        )
    return (
        "The gateway's answer is no; its reason stands at step 5. What each operation needs is in the "
        "gateway's policy.yaml, and its log has the decision by its id."
    )


def resource_denied() -> str:
    """The gateway let the call through, and the account API did not take the token."""
    return (
        "The account API verifies for itself, and did not take the token that the gateway took. Compare "
        "ISSUER, JWKS_URI and the audience in the settings of the two."
    )


def over_transfer_limit() -> str:
    """The order is for more than the token's `authorization_details` allow."""
    return (
        "The token allows less: see max_amount_minor in its authorization_details at step 4, put there from "
        "the agent registry. The limit can be changed with “python -m auth_server agents edit … "
        "--max-transfer-minor …”; it counts from the next exchange."
    )


def unreadable() -> str:
    """The account API's answer is none that the assistant knows."""
    return (
        "The account API answered in another shape than agreed. Compare the answer with its /openapi.json, "
        "and see the logs of the account API and the gateway."
    )
