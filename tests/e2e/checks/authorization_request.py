"""The redirect URI and PKCE (RFC 9700 §2.1, §2.1.1, RFC 7636): what is asked for, and what redeems it."""

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from tests.e2e.check import check
from tests.e2e.checks.led_to import leads_to, led_to, yields_code
from tests.e2e.sign_on import AuthorizationRequest, Browser, response_parameters
from tests.e2e.target import Target
from tests.e2e.verdict import Failed
from tests.e2e.wire import Answer

_ATTACKER: Final = "attacker.example.net"
_WRONG_VERIFIER: Final = "a-verifier-of-another-request-than-this-one-0123456789"


@check("AS-42")
def redirect_uri_and_code_verifier_are_enforced(target: Target) -> None:
    """Ask for redirects to URIs that are almost the registered one; redeem codes with one thing wrong.

    A request that is answered with a sign-on page is carried on to its end. Ports are not varied: native
    apps may choose theirs (RFC 8252 §7.3). A code of a request without code_challenge is redeemed with a
    code_verifier (the downgrade of RFC 9700 §4.8), if the server gives one.
    """
    server, expect = target.authorization_server, target.expect
    request = server.app.authorization_request()
    for what, uri in almost(request.redirect_uri).items():
        led = led_to(target, server.app.authorization_request().changed(redirect_uri=uri))
        strays = leads_to(led, uri) or (yields_code(led) and not leads_to(led, request.redirect_uri))
        if strays:
            raise Failed(f"a redirect URI {what} never to be redirected to", f"a redirect to {uri}")
    wrong = f"{request.redirect_uri}/other"
    answer = _redeemed(target, server.app.authorization_request(), code_verifier=_WRONG_VERIFIER)
    expect.refused(answer, "a code with a wrong code_verifier", "invalid_grant")
    answer = _redeemed(target, server.app.authorization_request(), code_verifier=None)
    expect.refused(answer, "a code without code_verifier", ("invalid_grant", "invalid_request"))
    answer = _redeemed(target, server.app.authorization_request(), redirect_uri=wrong)
    expect.refused(answer, "a code with another redirect_uri than it was sent to", "invalid_grant")
    without = request.changed(code_challenge=None, code_challenge_method=None)
    response = dict(parse_qsl(urlsplit(led_to(target, without)).query))
    if "code" in response:
        answer = server.token(server.app.code_form(without, response), server.clients["app"])
        expect.refused(answer, "a code_verifier where no code_challenge was sent")


def _redeemed(target: Target, request: AuthorizationRequest, **changes: str | None) -> Answer:
    server = target.authorization_server
    response = response_parameters(server.app.send_authorization_request(Browser(target.wire), request))
    return server.token(server.app.code_form(request, response, **changes), server.clients["app"])


@check("AS-85")
def pkce_is_required(target: Target) -> None:
    """Send requests without code_challenge, with the method plain, and with none, which means plain.

    None may yield a code; with which error it is refused, and when, is left open.
    """
    server = target.authorization_server
    server.app.sign_on()
    for what, method, challenged in (
        ("without code_challenge", None, False),
        ("with the method plain", "plain", True),
        ("without code_challenge_method", None, True),
    ):
        request = server.app.authorization_request()
        challenge = request.code_verifier if challenged else None
        request = request.changed(code_challenge=challenge, code_challenge_method=method)
        if yields_code(led_to(target, request)):
            raise Failed(f"an authorization request {what} to yield no code", "a code")


def almost(uri: str) -> dict[str, str]:
    """Return redirect URIs that a lenient comparison takes for this one, by what is different."""
    parts = urlsplit(uri)
    path, origin = parts.path.rstrip("/"), f"{parts.scheme}://{parts.netloc}"
    other_scheme = "http" if parts.scheme == "https" else "https"
    variants = {
        "with a path below the registered one": f"{origin}{path}/other",
        "with another path": f"{origin}/other",
        "with a path that begins like the registered one": f"{origin}{path}-other",
        "with a path that leads back out": f"{origin}{path}/../other",
        "with a slash more or less": f"{origin}{path}{'' if parts.path.endswith('/') else '/'}",
        "in other case": f"{origin}{path.swapcase()}",
        "with a query": f"{uri}{'&' if parts.query else '?'}next=elsewhere",
        "with another scheme": parts._replace(scheme=other_scheme).geturl(),
        "with the registered host as user name": f"{origin}@{_ATTACKER}{parts.path}",
        "with the registered host as subdomain": f"{parts.scheme}://{parts.hostname}.{_ATTACKER}{parts.path}",
        "on another host": f"{parts.scheme}://{_ATTACKER}{parts.path}",
    }
    return {what: one for what, one in variants.items() if one != uri}
