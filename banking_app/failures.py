"""What can go wrong, in words for the customer and with a hint for whoever shows the demo."""

from typing import ClassVar, Literal, TypeAlias

WayOn: TypeAlias = Literal["try_again", "sign_on", "allow"]
"""What the customer can do about a failure."""


class Failure(Exception):
    """A page tells the customer `title` and `detail`, and the trainer `hint`. No secrets in any of them."""

    title: ClassVar[str] = "Something went wrong"
    way_on: ClassVar[WayOn] = "try_again"

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


class SessionOver(Failure):
    """The customer has to sign on again."""

    title = "Please sign on again"
    way_on = "sign_on"

    def __init__(self) -> None:
        super().__init__(
            "Your session has ended. You come back to this page, and your conversation is kept.",
            "The authorization server answered invalid_grant to the refresh token, or the session's own time "
            "is up. A new sign-on starts a new session.",
        )


class PermissionMissing(Failure):
    """The customer has given the assistant no permission that is in force."""

    title = "The assistant has no permission"
    way_on = "allow"

    def __init__(self) -> None:
        super().__init__(
            "You have not allowed the assistant to act for you, or you have withdrawn it. "
            "Your accounts are not affected. You can allow it at any time.",
            "The authorization server answered invalid_target: without a grant there is no subject token, so "
            "the assistant has nothing to exchange.",
        )


class AssistantStopped(Failure):
    """The bank lets the assistant do nothing, whatever the customer allows: there is nothing to allow.

    `state` is the agent's in the registry, e.g. `suspended`.
    """

    title = "The bank has stopped the assistant"

    def __init__(self, agent_id: str, state: str) -> None:
        done = {"suspended": "suspended the assistant", "retired": "retired the assistant for good"}
        what = done.get(state, "not put the assistant into service")
        super().__init__(
            f"The bank has {what}. It can do nothing for you now, whatever you allow, and you need not do "
            "anything: what you have allowed it is kept, and your accounts and your own access are not "
            "affected. "
            + ("Use the pages of this app instead." if state == "retired" else "Ask again later."),
            f"The agent is {state} in the authorization server's registry, so it gets no token. To let it go "
            f"on: the staff console, or “python -m auth_server agents resume {agent_id} "
            "--reason …”. Then ask again."
            if state != "retired"
            else "The agent is retired in the authorization server's registry. Retired is final.",
        )


class QuestionTooLong(Failure):
    """The customer asked in more characters than the assistant takes."""

    title = "The question is too long"

    def __init__(self, length: int, allowed: int) -> None:
        super().__init__(
            f"A question may have {allowed:,} characters at most; this one has {length:,}.",
            "The banking app sent it nowhere: this bounds what reaches the model.",
        )


class ServiceDown(Failure):
    """Another service gives no usable answer."""

    title = "Not available right now"

    def __init__(self, service: str, consequence: str, lack: str = "did not answer") -> None:
        super().__init__(
            f"{consequence} Please try again in a moment.",
            f"The {service} {lack}. See its log and its /readyz; when it is back, this works again "
            "without a restart.",
        )


class TokenRefused(Failure):
    """A service does not take the customer's access token any more."""

    title = "Please sign on again"
    way_on = "sign_on"

    def __init__(self, service: str, challenge: str) -> None:
        super().__init__(
            "Your access has ended. Sign on again, and you come back to this page.",
            f"The {service} answered 401: {challenge}",
        )


class Refused(Failure):
    """Another service answered, and the answer is no."""

    title = "This was refused"
