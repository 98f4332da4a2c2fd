"""Twins that PKCE does not bind (RFC 9700 §2.1.1, RFC 7636)."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Final
from unittest.mock import patch

from auth_server.authorization_code import AuthorizationCodeGrant, S256Challenge
from tests.e2e.in_process import InProcess
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict

_NO_CHALLENGE: Final = "none"
_checked = S256Challenge.validate_code_challenge
_verified = S256Challenge.validate_code_verifier


@twin("AS-42", "does not compare code_verifier with code_challenge")
def ignores_a_wrong_verifier(_stack: InProcess) -> AbstractContextManager[object]:
    """Be content that there is one."""
    return _verifying(lambda verifier, challenge: bool(verifier) and challenge != _NO_CHALLENGE)


@twin("AS-42", "redeems a code without code_verifier")
def needs_no_verifier(_stack: InProcess) -> AbstractContextManager[object]:
    """Compare it only if it is there."""
    return _verifying(lambda verifier, _challenge: not verifier)


@twin("AS-42", "forgets PKCE when no code_challenge is sent", also={"AS-85": Verdict.FAIL})
def forgets_pkce(_stack: InProcess) -> AbstractContextManager[object]:
    """Issue a code to whoever leaves the challenge out, and take any verifier for it."""
    ending = ExitStack()
    ending.enter_context(_challenging(lambda challenge, _method: not challenge))
    ending.enter_context(_verifying(lambda _verifier, challenge: challenge == _NO_CHALLENGE))
    return ending


@twin("AS-85", "gives a code without code_challenge")
def needs_no_challenge(_stack: InProcess) -> AbstractContextManager[object]:
    """Leave it to the client whether it wants PKCE."""
    return _challenging(lambda challenge, _method: not challenge)


@twin("AS-85", "takes plain")
def takes_plain(_stack: InProcess) -> AbstractContextManager[object]:
    """Accept the method that hides nothing."""
    return _challenging(lambda _challenge, method: method == "plain")


@twin("AS-85", "takes a request without a method for plain, as RFC 7636 does")
def takes_a_missing_method_for_plain(_stack: InProcess) -> AbstractContextManager[object]:
    """Accept a challenge whose method is left out."""
    return _challenging(lambda challenge, method: bool(challenge) and not method)


def _challenging(takes: Callable[[str, str], bool]) -> AbstractContextManager[object]:
    """Do not check the challenge of authorization requests like this."""

    def check(self: S256Challenge, grant: AuthorizationCodeGrant, redirect_uri: str) -> None:
        payload = grant.request.payload
        challenge, method = (payload.data.get(f"code_challenge{one}", "") for one in ("", "_method"))
        if challenge == _NO_CHALLENGE:  # set below: Authlib checks a request again when it issues the code
            return
        if not takes(challenge, method):
            _checked(self, grant, redirect_uri)
        elif not challenge:
            payload.data["code_challenge"] = _NO_CHALLENGE

    return patch.object(S256Challenge, "validate_code_challenge", check)


def _verifying(takes: Callable[[str, str], bool]) -> AbstractContextManager[object]:
    """Do not check the verifier of token requests like this."""

    def check(self: S256Challenge, grant: AuthorizationCodeGrant, result: Any) -> None:
        verifier = grant.request.form.get("code_verifier", "")
        if not takes(verifier, grant.request.authorization_code.code_challenge):
            _verified(self, grant, result)

    return patch.object(S256Challenge, "validate_code_verifier", check)
