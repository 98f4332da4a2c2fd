"""The decision for other enforcement points: access evaluation by the AuthZEN Authorization API 1.0 (§6)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from delegation.bearer import BearerError, InsufficientScope, InvalidToken, bearer_token
from delegation.clock import Clock
from delegation.record import Record, of_token, print_record
from delegation.scope import Scope
from delegation.token import AccessToken, DelegationToken
from delegation.unverifiable import Unverifiable
from delegation.verification import TokenVerifier, access_token
from gateway.arguments import UnusableArgument, json_arguments, json_object
from gateway.call_record import STEP, recorded_call
from gateway.condition import Value
from gateway.decision import Decision, Deny, Permit, Request
from gateway.decision_log import CannotRecord, DecisionLog
from gateway.limited_decision import CountedCalls, decided_and_counted
from gateway.policy import Policy
from gateway.policy_file import PolicyFile, UnsoundPolicy
from gateway.problems import refused
from gateway.refusals import deny_token, deny_unverifiable
from gateway.request_body import CallerGone, UnusableBody, held_body
from gateway.request_headers import has_body, headers_of, query_parameters
from gateway.settings import Settings

PATH: Final = "/access/v1/evaluation"
WELL_KNOWN: Final = "/.well-known/authzen-configuration"
SCOPE: Final = Scope({"access:evaluate"})
_NEXT_STEP: Final = "Send the enforcement point's own token, with the scope access:evaluate, as Bearer."
_REQUEST_ID: Final = re.compile(r"[!-~]{1,128}\Z")
_CLAIMS: Final = frozenset({"act", "authorization_details", "client_id", "exp", "iat", "jti", "scope"})


def configuration(address: str) -> dict[str, str]:
    """Return the metadata of this policy decision point, which is at this address (§9)."""
    return {"policy_decision_point": address, "access_evaluation_endpoint": address + PATH}


class Malformed(Exception):
    """A question that is none (§6.1): 400."""


class AccessEvaluation:
    """Answers `POST /access/v1/evaluation` to enforcement points, and to nobody else.

    The answer tells what a policy lets whom do, and it believes what the caller says of a token: so a caller
    has a token of its own for this audience, with a scope for just this. It verifies tokens itself before it
    asks. A question counts against limits as a call does.
    """

    def __init__(
        self,
        settings: Settings,
        policy: PolicyFile,
        verifier: Callable[[Policy], TokenVerifier],
        limits: CountedCalls,
        decisions: DecisionLog,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._verifier = verifier
        self._limits = limits
        self._decisions = decisions
        self._clock = clock

    async def answer(self, http: HttpRequest) -> Response:
        """Decide on one question; a refusal is 200 with the decision false (§6.2)."""
        caller = None
        try:
            policy = self._policy.current()
            verifier = self._verifier(policy)
            caller = await _caller(http, verifier)
            question = await self._question(http)
            verifier.check_still_good(caller)
            response = await self._evaluated(policy, question, caller)
        except BearerError as error:
            return self._refused(replace(deny_token(error), next_step=_NEXT_STEP), caller)
        except Unverifiable as error:
            return self._refused(deny_unverifiable(error.lack), caller)
        except UnsoundPolicy:
            return self._refused(deny_unverifiable("The policy"), caller)
        except Malformed as error:
            next_step = "Send subject, action and resource as the AuthZEN Authorization API 1.0 has them."
            return self._refused(Deny(400, "malformed-question", str(error), next_step), caller)
        except CallerGone:
            return Response(status_code=400)  # which nobody is there to read
        except UnusableBody as fault:
            return self._refused(Deny(fault.status, fault.kind, fault.reason, fault.next_step), caller)
        except CannotRecord as error:
            return self._refused(Deny(503, "decision-not-recorded", str(error), "Ask again shortly."), caller)
        request_id = http.headers.get("x-request-id", "")
        if _REQUEST_ID.match(request_id):
            response.headers["x-request-id"] = request_id
        return response

    async def _question(self, http: HttpRequest) -> dict[str, Any]:
        body, _ = await held_body(
            http.receive,
            present=has_body(headers_of(http.scope)),
            limit=self._settings.max_body_bytes,
            seconds=self._settings.held_body_seconds,
        )
        try:
            question = json_object(body, http.headers.get("content-type", ""))
        except UnusableArgument as error:
            raise Malformed(str(error)) from error
        for entity, members in (
            ("subject", ("type", "id")),
            ("action", ("name",)),
            ("resource", ("type", "id")),
        ):
            value = question.get(entity)
            if not isinstance(value, dict):
                raise Malformed(f"{entity} is missing or no object.")
            if not all(isinstance(value.get(member), str) and value[member] for member in members):
                raise Malformed(f"{entity} lacks {' or '.join(members)}.")
            if not isinstance(value.get("properties", {}), dict):
                raise Malformed(f"The properties of {entity} are no object.")
        return question

    async def _evaluated(self, policy: Policy, question: Mapping[str, Any], caller: AccessToken) -> Response:
        request, decision = await self._decision(policy, question)
        record = Record(
            service="gateway",
            step=STEP,
            decision="permit" if isinstance(decision, Permit) else "deny",
            reason=decision.reason,
            operation=decision.operation or "unknown",
            time=request.now if request else self._clock(),
            policy_version=policy.version or None,
            call={
                **(recorded_call(decision, request) if request else {}),
                "asked_by": caller.client_id,
            },
            **of_token(request.token if request else None),
        )
        if isinstance(decision, Permit):
            await self._decisions.permit_on_disk(record)
        else:
            self._decisions.refusal(record)
        print_record(record)
        context = {
            "decision_id": record.decision_id,
            "policy_version": policy.version,
            "reason": decision.reason,
            "kind": decision.kind if isinstance(decision, Deny) else None,
        }
        told = {name: value for name, value in context.items() if value}
        answer = {"decision": isinstance(decision, Permit), "context": told}
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    async def _decision(self, policy: Policy, question: Mapping[str, Any]) -> tuple[Request | None, Decision]:
        name, now = question["action"]["name"], self._clock()
        operation = policy.operations.get(name)
        if operation is None or question["subject"]["type"] != "user":
            return None, Deny(404, "unknown-operation", "The policy has no such operation of a user.", "")
        if question["resource"]["type"] != operation.resource:
            reason = f"{name} is no operation of such a resource."
            return None, Deny(404, "unknown-resource", reason, "", name)
        properties = question["subject"].get("properties", {})
        claims = {claim: value for claim, value in properties.items() if claim in _CLAIMS}
        own = {"iss": self._settings.issuer, "aud": policy.audience, "sub": question["subject"]["id"]}
        try:
            token = access_token({"jti": "unnamed"} | claims | own, own["iss"], policy.audience, now)
        except InvalidToken as error:
            return None, Deny(403, "unusable-claims", error.description, "", name)
        arguments: Mapping[str, Value] | UnusableArgument
        try:
            arguments = json_arguments(operation.arguments, question["action"].get("properties", {}))
        except UnusableArgument as error:
            arguments = error
        return await decided_and_counted(policy, self._limits, name, token, now, arguments)

    def _refused(self, deny: Deny, caller: AccessToken | None) -> Response:
        record = Record(
            service="gateway",
            step=STEP,
            decision="deny",
            reason=deny.reason,
            operation="access.evaluate",
            time=self._clock(),
            **of_token(caller),
        )
        self._decisions.refusal(record)
        print_record(record)
        return refused(deny, {"decision-id": record.decision_id}, self._settings.resource_metadata_url)


async def _caller(http: HttpRequest, verifier: TokenVerifier) -> AccessToken:
    query = query_parameters(http.scope["query_string"])
    token = await verifier.verify(bearer_token(http.headers.getlist("authorization"), query))
    if isinstance(token, DelegationToken) or token.may_act is not None:
        raise InvalidToken("Nobody asks for decisions on somebody else's behalf.")
    if not token.scope >= SCOPE:
        raise InsufficientScope("The token does not carry the scope that this needs.", SCOPE)
    return token
