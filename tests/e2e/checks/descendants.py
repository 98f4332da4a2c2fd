"""What a delegation token ends with: subject token, consent, sign-on (RFC 7009 §2.1, RFC 9700 §4.10)."""

import time
from typing import Final
from urllib.parse import quote

from tests.e2e.app import SignedOn
from tests.e2e.authorization_server import issued
from tests.e2e.check import check
from tests.e2e.checks.revocation import is_active
from tests.e2e.checks.subject_token import sign_out
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun

_POLLS: Final = 10


@check("LC-75")
def a_delegation_ends_with_its_parent(target: Target) -> None:
    """Delegate under sign-ons of their own; revoke the subject token as the app, withdraw consent, sign out.

    Each time introspection must call the delegation token inactive within revocation_bound_seconds, and the
    next exchange must be refused. Consent is withdrawn, by the other customer, where there is a
    grants_endpoint; sign-out is tried where it is offered. Chains are not tried.
    """
    server = target.authorization_server
    section = target.file.sign_on
    assert section
    _, subject_token, token = _delegated(target, section.customer)
    answer = server.revoke(subject_token, server.clients["app"])
    target.expect.accepted(answer, "the revocation of a subject token by its client")
    _ends(target, subject_token, token, "whose subject token was revoked")
    if server.section.grants_endpoint:
        signed_on, subject_token, token = _delegated(target, section.other_customer)
        _withdraw_consent(target, signed_on)
        _ends(target, subject_token, token, "whose consent was withdrawn")
    if "sign_out" not in target.file.not_offered:
        signed_on, subject_token, token = _delegated(target, section.customer)
        if not signed_on.id_token:
            raise NotRun("It takes an ID token to sign out with: openid in sign_on.scope.")
        sign_out(target, signed_on)
        _ends(target, subject_token, token, "whose customer signed out")


def _delegated(target: Target, customer: str) -> tuple[SignedOn, str, str]:
    """Sign on and delegate; return the sign-on, the subject token and the delegation token."""
    server, subject = target.authorization_server, target.file.subject_token
    assert subject
    signed_on = server.app.sign_on(customer)
    subject_token = signed_on.token_for(subject.resource, subject.scope)
    answer = server.exchange(subject_token=subject_token)
    if not answer.is_success:
        raise NotRun(f"It takes a subject token of a sign-on: the exchange of one is refused, with {answer}.")
    token = issued(answer, "an accepted exchange")
    if not is_active(target, token):
        raise NotRun("It takes introspection that the agent may use for its delegation tokens.")
    return signed_on, subject_token, token


def _withdraw_consent(target: Target, signed_on: SignedOn) -> None:
    """Withdraw all that the customer allows (Grant Management for OAuth 2.0 §6.4), found by listing it."""
    server, endpoint = target.authorization_server, target.authorization_server.section.grants_endpoint
    own = [("Authorization", f"Bearer {signed_on.token_for(server.issuer)}")]
    grants = target.wire.get(endpoint or "", own).listed("grants")
    if not grants:
        raise NotRun("It takes a list of grants at grants_endpoint, for a token of the app for the issuer.")
    for grant in grants:
        url = f"{endpoint}/{quote(str(grant.get('grant_id')), safe='')}"
        answer = target.wire.send("DELETE", url, own)
        target.expect.accepted(answer, "the withdrawal of a grant")


def _ends(target: Target, subject_token: str, token: str, what: str) -> None:
    server, expect = target.authorization_server, target.expect
    bound = server.section.revocation_bound_seconds
    deadline = time.monotonic() + bound
    while (answer := server.exchange(subject_token=subject_token)).is_success and time.monotonic() < deadline:
        time.sleep(bound / _POLLS)
    expect.refused(answer, f"an exchange by an agent {what}", "invalid_request")
    while (active := is_active(target, token)) and time.monotonic() < deadline:
        time.sleep(bound / _POLLS)
    wanted = f"to be inactive within {bound:g} s"
    expect.that(f"a delegation token {what}", wanted, "it is still active", holds=not active)
