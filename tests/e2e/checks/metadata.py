"""Who the metadata and the authorization response say that they come from (RFC 8414 §3.3, RFC 9207 §2)."""

from urllib.parse import urlsplit

from tests.e2e.check import check
from tests.e2e.sign_on import AuthorizationRequest, Browser, redirect_target, response_parameters
from tests.e2e.target import Target
from tests.e2e.wire import Answer


@check("AS-48")
def the_server_says_who_it_is(target: Target) -> None:
    """Get the metadata under each well-known address; at least one must be there.

    Where it says that authorization responses carry iss, look at one with a code, and at one with an error:
    sign-on without a prompt, in a browser that is not signed on. Both take [sign_on].
    """
    server, expect = target.authorization_server, target.expect
    found = {
        address: answer for address in addresses(target) if (answer := target.wire.get(address)).is_success
    }
    expect.that("metadata", "to be found", f"none at {', '.join(addresses(target))}", holds=bool(found))
    for address, answer in found.items():
        issuer = answer.json().get("issuer", "no issuer")
        what = f"issuer of the metadata at {address}"
        expect.that(what, f"to be {server.issuer}", issuer, holds=issuer == server.issuer)
    if any(_sends_iss(answer) for answer in found.values()) and target.file.sign_on:
        request = server.app.authorization_request()
        answer = server.app.send_authorization_request(Browser(target.wire), request)
        _names_the_issuer(target, answer, "the authorization response")
        silent = server.app.authorization_request().changed(prompt="none")
        answer = Browser(target.wire).get(silent.url(server.endpoint("authorization_endpoint")))
        if _is_response(answer, silent):
            _names_the_issuer(target, answer, "the authorization error response")


def addresses(target: Target) -> list[str]:
    """Return where the metadata may be: OpenID Connect Discovery §4, RFC 8414 §3.1, the target file."""
    server = target.authorization_server
    issuer = server.issuer.rstrip("/")
    parts = urlsplit(issuer)
    inserted = parts._replace(path=f"/.well-known/oauth-authorization-server{parts.path}").geturl()
    given = (server.section.metadata_url,) if server.section.metadata_url else ()
    return list(dict.fromkeys([f"{issuer}/.well-known/openid-configuration", inserted, *given]))


def _sends_iss(metadata: Answer) -> bool:
    return metadata.json().get("authorization_response_iss_parameter_supported") is True


def _is_response(answer: Answer, request: AuthorizationRequest) -> bool:
    return redirect_target(answer).startswith(request.redirect_uri)


def _names_the_issuer(target: Target, answer: Answer, what: str) -> None:
    issuer = target.authorization_server.issuer
    said = response_parameters(answer).get("iss", "no iss")
    target.expect.that(f"iss of {what}", f"to be {issuer}", said, holds=said == issuer)
