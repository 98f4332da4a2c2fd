"""For whom the subject token was made (RFC 9700 §2.3, §4.10.2), and that it ends with the sign-on."""

from typing import Any, Final
from urllib.parse import urlencode

from tests.e2e.app import SignedOn
from tests.e2e.authorization_server import OTHER_AGENT
from tests.e2e.check import check
from tests.e2e.checks.minted_tokens import require_sound_minting
from tests.e2e.jws import claims_of
from tests.e2e.sign_on import only_form
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun, UnsoundRun

_SUBJECT: Final = "subject_token"


@check("TX-22")
def the_subject_token_is_made_for_this_agent(target: Target) -> None:
    """Exchange tokens of the customer that were made for another party; let another agent exchange ours.

    Made for another: the app's own token, a delegation token, and a minted one whose aud and may_act name
    another agent. Either of the two is enough to bind a token, so none is sent in which only one does.
    """
    server, expect = target.authorization_server, target.expect
    tokens, minted = _made_for_the_resource(target), not target.lacks("minting")
    other = server.clients.get("other_agent")
    if not (tokens or minted or other):
        raise NotRun(
            "It takes a subject token that another party is given: [clients.other_agent], or [minting]."
        )
    for what, token in tokens.items():
        expect.refused(server.exchange(subject_token=token), what, "invalid_request")
    if other:
        actor = {"actor_token": server.other_actor_token()} if target.file.actor_token else {}
        answer = server.exchange(other, **actor)
        expect.refused(answer, "the agent's subject token from another agent", "invalid_request")
    if minted:
        require_sound_minting(target)
        token = server.mint_subject_token(aud=OTHER_AGENT, may_act={"sub": OTHER_AGENT})
        answer = server.exchange(subject_token=token)
        expect.refused(answer, "a subject token made for another agent", "invalid_request")


def _made_for_the_resource(target: Target) -> dict[str, str]:
    """Return tokens for the resource, if the legitimate subject token is for another audience."""
    server, section, subject = target.authorization_server, target.file.sign_on, target.file.subject_token
    assert subject
    tokens = {}
    delegation_token = server.delegation_token()
    issued_for = _audience(delegation_token) or server.exchange_section.target
    if issued_for != (_audience(server.subject_token()) or subject.resource):
        tokens["a delegation token as subject token"] = delegation_token
    if section and section.app_resource and section.app_resource != subject.resource:
        tokens["the app's own token as subject token"] = server.app.sign_on().access_token
    return tokens


def _audience(token: str) -> Any:
    return claims_of(token).get("aud")


@check("TX-31")
def the_subject_token_has_one_audience(target: Target) -> None:
    """Exchange minted subject tokens, right but for aud: none, an empty one, the right one and another."""
    server = target.authorization_server
    require_sound_minting(target)
    right = _audience(server.mint_subject_token())
    one = right[0] if isinstance(right, list) else right
    audiences: dict[str, Any] = {
        "no audience": None,
        "an empty list of audiences": [],
        "a second audience, the resource": [one, server.exchange_section.target or OTHER_AGENT],
        "a second audience, another agent, before the right one": [OTHER_AGENT, one],
    }
    for what, aud in audiences.items():
        answer = server.exchange(subject_token=server.mint_subject_token(aud=aud))
        target.expect.refused(answer, f"a subject token with {what}", "invalid_request")


@check("TX-35")
def sign_out_ends_the_subject_token(target: Target) -> None:
    """Sign on, exchange, sign out with the ID token as hint (RP-Initiated Logout 1.0 §2), exchange again.

    A question whether to sign out is answered with its first button. A disabled customer is not tried.
    """
    server = target.authorization_server
    section = target.file.subject_token
    assert section
    signed_on = server.app.sign_on()
    if not signed_on.id_token:
        raise NotRun("It takes an ID token to sign out with: openid in sign_on.scope.")
    token = signed_on.token_for(section.resource, section.scope)
    answer = server.exchange(**{_SUBJECT: token})
    if not answer.is_success:
        raise NotRun(f"It takes a subject token of a sign-on: the exchange of one is refused, with {answer}.")
    sign_out(target, signed_on)
    answer = server.exchange(**{_SUBJECT: token})
    target.expect.refused(answer, "the subject token of a customer who signed out", "invalid_request")


def sign_out(target: Target, signed_on: SignedOn) -> None:
    """Sign out in the browser, with the ID token as hint.

    Raises:
        Failed: it is answered with an error.
    """
    endpoint = target.authorization_server.endpoint("end_session_endpoint")
    hint = urlencode({"id_token_hint": signed_on.id_token})
    page = signed_on.browser.get(f"{endpoint}{'&' if '?' in endpoint else '?'}{hint}")
    page = signed_on.browser.follow(page, stop_at="")
    try:
        form = only_form(page)
    except UnsoundRun:
        form = None
    if form:
        page = signed_on.browser.submit(form, **dict(form.buttons[:1]))
    holds = page.status < 400
    target.expect.that("sign-out", "to be answered with a page or a redirect", page, holds=holds)
