"""Tokens of the issuer's that were not made for this resource (RFC 8725 §3.12, RFC 9068 §4)."""

from tests.e2e.check import check
from tests.e2e.checks.resource_tokens import REFUSED
from tests.e2e.jws import claims_of
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun


def _send(target: Target, token: str, what: str) -> None:
    target.expect.denied(target.resource.call(target.resource.read, token), what, REFUSED)


@check("RS-57")
def id_tokens_are_no_access_tokens(target: Target) -> None:
    """Send a real ID token where a customer can be signed on, and minted ones, one for this very resource."""
    resource = target.resource
    if target.file.authorization_server and not target.lacks("sign_on"):
        id_token = target.authorization_server.app.sign_on().id_token
        if id_token:
            _send(target, id_token, "an ID token")
    if not target.lacks("resource_minting"):
        identity = {"client_id": None, "scope": None, "act": None, "jti": None, "nonce": "n", "auth_time": 1}
        for audience in ("some-app", resource.audience):
            token = resource.mint({"typ": "JWT"}, **identity, aud=audience)
            _send(target, token, f"an ID token for {audience}")
        token = resource.mint({"typ": "JWT"}, aud="some-app", nonce="n", auth_time=1)
        _send(target, token, "an ID token for some-app that has scope and act besides")


@check("RS-58")
def tokens_for_the_exchange_are_not_for_the_resource(target: Target) -> None:
    """Send a subject token and an actor token: real ones, and minted ones of the same form."""
    resource, sent = target.resource, 0
    if target.file.authorization_server:
        server = target.authorization_server
        real = {"a subject token": server.subject_token()}
        if target.file.actor_token:
            real["an actor token"] = server.actor_token()
        for what, token in real.items():
            audience = claims_of(token).get("aud", "opaque")
            if resource.audience not in (audience if isinstance(audience, list) else [audience]):
                _send(target, token, what)
                sent += 1
    if not target.lacks("resource_minting"):
        customer = {"act": None, "client_id": "some-app", "may_act": {"sub": resource.actor}}
        _send(target, resource.mint(None, **customer, aud=resource.actor), "a minted subject token")
        agent = {"act": None, "sub": resource.actor, "aud": resource.issuer}
        _send(target, resource.mint(None, **agent), "a minted actor token")
        customer = {"aud": resource.actor, "may_act": {"sub": resource.actor}}
        _send(target, resource.mint(None, **customer), "a minted subject token with act")
        sent += 3
    if not sent:
        raise NotRun("It takes subject or actor tokens whose audience is not the resource, or [minting].")
