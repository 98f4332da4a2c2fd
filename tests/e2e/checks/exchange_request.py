"""The parameters of an exchange request (RFC 8693 §2.1)."""

from typing import Final
from urllib.parse import urlsplit

from delegation.token_exchange import ACCESS_TOKEN_TYPE
from tests.e2e.check import check
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun

_TYPE: Final = "urn:ietf:params:oauth:token-type:"
ID_TOKEN_TYPE: Final = f"{_TYPE}id_token"
REFRESH_TOKEN_TYPE: Final = f"{_TYPE}refresh_token"
JWT_TYPE: Final = f"{_TYPE}jwt"
OTHER_TYPES: Final = (
    f"{_TYPE}saml2",
    f"{_TYPE}saml1",
    REFRESH_TOKEN_TYPE,
    ID_TOKEN_TYPE,
    "urn:example:token-type:of-nobody",
)


@check("TX-02")
def subject_token_and_its_type_are_required(target: Target) -> None:
    """Leave each of the two out."""
    server, expect = target.authorization_server, target.expect
    for name in ("subject_token", "subject_token_type"):
        expect.refused(server.exchange(**{name: None}), f"an exchange without {name}", "invalid_request")


@check("TX-03")
def an_actor_token_needs_its_type(target: Target) -> None:
    """Leave actor_token_type out."""
    answer = target.authorization_server.exchange(actor_token_type=None)
    target.expect.refused(answer, "an actor_token without actor_token_type", "invalid_request")


@check("TX-04")
def an_actor_token_type_needs_its_token(target: Target) -> None:
    """Leave actor_token out, and send its type all the same."""
    section = target.file.actor_token
    actor_type = section.type if section else ACCESS_TOKEN_TYPE
    answer = target.authorization_server.exchange(actor_token=None, actor_token_type=actor_type)
    target.expect.refused(answer, "an actor_token_type without actor_token", "invalid_request")


@check("TX-05")
def a_resource_is_an_absolute_uri_without_fragment(target: Target) -> None:
    """Send resources that come close to the legitimate target, so that mending them would lead to it.

    RFC 8707 §2 answers them with invalid_target; RFC 8693 §2.2.2 calls an invalid request invalid_request.
    """
    server, expect = target.authorization_server, target.expect
    if server.exchange_section.target_parameter != "resource":
        raise NotRun('It takes a server that knows resource: exchange.target_parameter = "resource".')
    absolute = server.exchange_section.target or ""
    if not urlsplit(absolute).hostname:
        absolute = "https://resource.example.com"
    malformed = {
        "with a fragment": f"{absolute}#part",
        "with an empty fragment": f"{absolute}#",
        "without a scheme": absolute.partition(":")[2],
        "that is a bare name": urlsplit(absolute).hostname,
        "that is a path": "/accounts",
    }
    for what, resource in malformed.items():
        answer = server.exchange(resource=resource)
        expect.refused(answer, f"a resource {what}", ("invalid_target", "invalid_request"))


@check("TX-10")
def tokens_are_of_the_type_declared(target: Target) -> None:
    """Declare each token to be of types that it is not; then send an ID token as an access token.

    The type jwt is left out: most access tokens are JWTs too (RFC 8693 §3). The ID token is sent only where
    the suite signs on.
    """
    server, expect = target.authorization_server, target.expect
    sections = {"subject_token": target.file.subject_token, "actor_token": target.file.actor_token}
    for name, section in sections.items():
        if section is None:
            continue
        for wrong in _types_other_than(section.type):
            answer = server.exchange(**{f"{name}_type": wrong})
            expect.refused(answer, f"a {name} declared as {wrong}", "invalid_request")
    subject = target.file.subject_token
    if target.file.sign_on and subject and subject.type == ACCESS_TOKEN_TYPE:
        id_token = server.app.sign_on().id_token
        if id_token:
            answer = server.exchange(subject_token=id_token)
            expect.refused(answer, "an ID token declared as an access token", "invalid_request")


def _types_other_than(right: str) -> list[str]:
    maybe = {right, ID_TOKEN_TYPE} if right == JWT_TYPE else {right}
    return [one for one in OTHER_TYPES if one not in maybe]
