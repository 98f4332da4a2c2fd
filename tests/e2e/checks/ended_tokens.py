"""What the resource knows of tokens that have ended (RFC 7009 §3)."""

import time
from typing import Final

from tests.e2e.check import check
from tests.e2e.target import Target

_POLLS: Final = 20


@check("LC-92")
def the_resource_refuses_what_was_revoked(target: Target) -> None:
    """Call with a delegation token, revoke it as the agent, and call until it is refused; another goes on.

    Where a customer can be signed on, the subject token of a second one is revoked as the app instead.
    """
    server, expect = target.authorization_server, target.expect
    token, kept = server.delegation_token(), server.delegation_token()
    _is_served(target, token, "a delegation token before it is revoked")
    expect.accepted(server.revoke(token), "the revocation of a delegation token by its agent")
    _is_refused(target, token, "a delegation token that its agent revoked")
    if target.file.subject_token and target.file.sign_on and "app" in server.clients:
        subject = target.file.subject_token
        subject_token = server.app.sign_on().token_for(subject.resource, subject.scope)
        answer = server.exchange(subject_token=subject_token)
        expect.accepted(answer, "an exchange of a new sign-on")
        token = str(answer.json().get("access_token"))
        _is_served(target, token, "a delegation token before its subject token is revoked")
        answer = server.revoke(subject_token, server.clients["app"])
        expect.accepted(answer, "the revocation of a subject token by its client")
        _is_refused(target, token, "a delegation token whose subject token was revoked")
    _is_served(target, kept, "a delegation token that was not revoked")


def _is_served(target: Target, token: str, what: str) -> None:
    answer = target.resource.call(target.resource.read, token)
    target.expect.that(f"a call with {what}", "to be served", answer, holds=answer.is_success)


def _is_refused(target: Target, token: str, what: str) -> None:
    bound = target.authorization_server.section.revocation_bound_seconds
    deadline = time.monotonic() + bound
    while (answer := target.resource.call(target.resource.read, token)).is_success:
        if time.monotonic() > deadline:
            break
        time.sleep(bound / _POLLS)
    target.expect.denied(answer, f"a call {bound:g} s later with {what}", 401)
