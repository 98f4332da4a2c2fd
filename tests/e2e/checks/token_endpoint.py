"""Requests and answers of the token endpoint, whichever the grant (RFC 6749 §3.2, §5.1)."""

from typing import Final

from tests.e2e.app import SignedOn
from tests.e2e.authorization_server import issued
from tests.e2e.check import check
from tests.e2e.sign_on import Browser, response_parameters
from tests.e2e.target import Target
from tests.e2e.wire import Answer

_MAY_REPEAT: Final = frozenset({"resource", "audience"})


@check("AS-39")
def parameters_stand_once(target: Target) -> None:
    """Send each parameter of the legitimate exchange twice, both times alike.

    Left out are resource and audience, which may repeat (RFC 8693 §2.1), and those of client authentication.
    """
    server, expect = target.authorization_server, target.expect
    for name, value in server.exchange_form():
        if name not in _MAY_REPEAT:
            answer = server.exchange(**{name: [value, value]})
            expect.refused(answer, f"an exchange with {name} twice", "invalid_request")


@check("AS-40")
def answers_with_tokens_are_not_stored(target: Target) -> None:
    """Look at Cache-Control of an exchange, of an actor token, and of a sign-on's first token and the next.

    Refusals hold nothing to keep, and a cache stores no answer to POST unasked (RFC 9110 §9.3.3). Pragma is
    left out: RFC 9111 §5.4 has done away with it.
    """
    server = target.authorization_server
    _is_no_store(target, server.exchange(), "an exchange")
    actor = target.file.actor_token
    if actor and actor.source == "client_credentials":
        form = [("grant_type", "client_credentials"), *([("scope", actor.scope)] if actor.scope else [])]
        _is_no_store(target, server.token(form, server.agent), "a request for an actor token")
    if target.file.sign_on and "authorization_code" not in target.file.not_offered:
        _a_sign_on(target)


def _a_sign_on(target: Target) -> None:
    server, subject = target.authorization_server, target.file.subject_token
    assert subject
    request, browser = server.app.authorization_request(), Browser(target.wire)
    response = response_parameters(server.app.send_authorization_request(browser, request))
    answer = server.token(server.app.code_form(request, response), server.clients["app"])
    _is_no_store(target, answer, "an authorization code")
    if answer.json().get("refresh_token"):
        signed_on = SignedOn(server.app, browser, answer.json())
        _is_no_store(target, signed_on.refresh(subject.resource, subject.scope), "a refresh token")


def _is_no_store(target: Target, answer: Answer, what: str) -> None:
    issued(answer, what)
    said = ", ".join(answer.headers.get_list("Cache-Control"))
    directives = {one.strip().lower() for one in said.split(",")}
    holds = "no-store" in directives
    target.expect.that(
        f"Cache-Control of the answer to {what}", "to say no-store", said or "none", holds=holds
    )
