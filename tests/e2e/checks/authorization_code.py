"""An authorization code is good once (RFC 6749 §4.1.2)."""

from collections.abc import Mapping

from tests.e2e.app import SignedOn
from tests.e2e.check import check
from tests.e2e.sign_on import AuthorizationRequest, Browser, response_parameters
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun
from tests.e2e.wire import Answer


@check("AS-41")
def a_code_is_good_once(target: Target) -> None:
    """Sign on, and redeem the code twice."""
    request, response, _first = _redeemed(target)
    target.expect.refused(
        _again(target, request, response), "a code that was redeemed before", "invalid_grant"
    )


@check("AS-88")
def a_second_use_of_a_code_ends_what_the_first_one_gave(target: Target) -> None:
    """Redeem a code twice; introspect the access token of the first time, and use its refresh token.

    Each is tried if there is one, and if it was good before. What was exchanged for the access token is not
    looked at.
    """
    server, expect = target.authorization_server, target.expect
    request, response, first = _redeemed(target)
    app = server.clients["app"]
    introspected = "introspection" not in target.file.not_offered
    active = introspected and server.introspect(first.access_token, app).json().get("active") is True
    if not active and not first.refresh_token:
        raise NotRun("It takes a refresh token, or introspection that the app may use for its own tokens.")
    _again(target, request, response)
    if active:
        answer = server.introspect(first.access_token, app)
        said = answer.json().get("active")
        expect.that("the first access token", "to be inactive", f"active: {said}", holds=said is False)
    if first.refresh_token:
        subject = target.file.subject_token
        assert subject
        answer = first.refresh(subject.resource, subject.scope)
        expect.refused(answer, "the refresh token of the first time", "invalid_grant")


def _redeemed(target: Target) -> tuple[AuthorizationRequest, Mapping[str, str], SignedOn]:
    server, browser = target.authorization_server, Browser(target.wire)
    request = server.app.authorization_request()
    response = response_parameters(server.app.send_authorization_request(browser, request))
    return request, response, server.app.redeem(browser, request, response)


def _again(target: Target, request: AuthorizationRequest, response: Mapping[str, str]) -> Answer:
    server = target.authorization_server
    return server.token(server.app.code_form(request, response), server.clients["app"])
