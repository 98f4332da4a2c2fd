"""What the delegation token says, and that a library which was not written here verifies it.

Issue 2, point 3.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import MARIA, READ_BALANCE, READ_TRANSACTIONS, TRANSFER, Deployment
from tests.stack.secrets_seen import Token

JOSE = Path(__file__).parent / "jose"


@pytest.fixture(scope="module")
def subject_token(app: BankingApp) -> Token:
    return app.sign_on(MARIA, READ_BALANCE, READ_TRANSACTIONS, TRANSFER).subject_token()


@pytest.fixture
def delegation_token(agent: Agent, subject_token: Token) -> Token:
    return agent.delegation_token(subject_token, READ_BALANCE)


@pytest.fixture(scope="module")
def verified_by_jose(deployment: Deployment) -> Callable[[str], dict[str, Any]]:
    """Verify a token with npm's `jose`; returns header and claims."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("verification by npm's jose needs node and npm, which are not installed here")
    subprocess.run([npm, "ci", "--silent"], cwd=JOSE, check=True)

    def verify(token: str) -> dict[str, Any]:
        ran = subprocess.run(
            [node, "verify.mjs", deployment.jwks_uri, deployment.issuer, deployment.audience],
            cwd=JOSE,
            input=token,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        verified = json.loads(ran.stdout)
        assert isinstance(verified, dict)
        return verified

    return verify


def test_it_has_exactly_the_claims_of_the_design(delegation_token: Token, deployment: Deployment) -> None:
    claims = delegation_token.claims
    jti, issued_at, expires_at = claims.pop("jti"), claims.pop("iat"), claims.pop("exp")
    assert claims == {
        "iss": deployment.issuer,
        "aud": deployment.audience,
        "sub": MARIA,
        "act": {"sub": deployment.agent_id},
        "client_id": deployment.agent_id,
        "scope": READ_BALANCE,
    }
    assert len(jti) >= 16
    assert 0 < expires_at - issued_at <= 300
    assert abs(issued_at - time.time()) < 60


def test_its_header_says_access_token_es256_and_a_published_key(
    delegation_token: Token, deployment: Deployment, app: BankingApp
) -> None:
    published = {key["kid"] for key in app.http.get(deployment.jwks_uri).json()["keys"]}
    header = delegation_token.header
    assert header.pop("kid") in published
    assert header == {"typ": "at+jwt", "alg": "ES256"}


def test_it_never_outlives_the_subject_token(agent: Agent, subject_token: Token) -> None:
    assert agent.delegation_token(subject_token, TRANSFER).claims["exp"] <= subject_token.claims["exp"]


def test_each_exchange_gives_another_token_for_just_the_scope_that_was_asked_for(
    agent: Agent, subject_token: Token
) -> None:
    tokens = [agent.delegation_token(subject_token, scope) for scope in (READ_BALANCE, TRANSFER)]
    assert [token.claims["scope"] for token in tokens] == [READ_BALANCE, TRANSFER]
    assert tokens[0].claims["jti"] != tokens[1].claims["jti"]


def test_node_s_jose_verifies_it_from_the_jwks_address(
    verified_by_jose: Callable[[str], dict[str, Any]], delegation_token: Token
) -> None:
    verified = verified_by_jose(delegation_token)
    assert verified == {"header": delegation_token.header, "claims": delegation_token.claims}


def test_node_s_jose_refuses_it_when_one_claim_is_changed(
    verified_by_jose: Callable[[str], dict[str, Any]], delegation_token: Token, agent: Agent
) -> None:
    header, _, signature = delegation_token.split(".")
    _, other_claims, _ = agent.actor_token().split(".")
    with pytest.raises(AssertionError, match=re.compile("signature verification failed")):
        verified_by_jose(".".join((header, other_claims, signature)))
