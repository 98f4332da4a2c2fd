"""The OpenAPI document is true: schemathesis calls what it describes and gets no answer that is not in it."""

from typing import Any

import httpx2
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from gateway.openapi import openapi
from gateway.policy import OWN_PATHS
from gateway.policy_file import read_policy
from gateway.settings import Settings
from tests.gateway.conftest import bearer
from tests.issuer import TestIssuer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
]
ALL = "account:read_balance account:read_transactions account:transfer"


DOCUMENT = openapi(read_policy(Settings().policy_file), "http://localhost:8503")
described = schemathesis.openapi.from_dict(DOCUMENT)


@described.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_document_describes(
    case: Case[Any], gateway: str, issuer: TestIssuer
) -> None:
    case.call_and_validate(gateway, headers=bearer(issuer.delegation_token(ALL)), checks=CHECKS)


@described.parametrize()
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_without_a_token_every_described_call_is_answered_401(case: Case[Any], gateway: str) -> None:
    assert case.call_and_validate(gateway, checks=CHECKS).status_code == 401


def test_the_document_names_operations_and_scopes_and_neither_actors_nor_the_resource(
    client: httpx2.Client,
) -> None:
    document = client.get("/openapi.json")
    assert document.json() == DOCUMENT
    transfer = document.json()["paths"]["/transfers"]["post"]
    assert transfer["operationId"] == "account.transfer"
    assert transfer["security"] == [{"delegation_token": ["account:transfer"]}]
    assert "agent.example" not in document.text
    assert str(client.base_url) not in document.text


def test_what_the_gateway_answers_itself_is_what_no_operation_may_take(client: httpx2.Client) -> None:
    answers = {path: client.get(path).status_code for path in OWN_PATHS}
    assert answers == {
        path: {"/audit": 401, "/access/v1/evaluation": 405, "/mcp": 401}.get(path, 200) for path in OWN_PATHS
    }
