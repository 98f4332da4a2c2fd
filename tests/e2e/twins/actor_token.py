"""Twins that take another's actor token, or none of the two tokens for what it is (RFC 8693 §1.1, §2.1)."""

from contextlib import AbstractContextManager

from auth_server.delegation_rules import ExchangeRequest
from tests.e2e.in_process import AGENT, OTHER_AGENT, InProcess
from tests.e2e.jws import claims_of
from tests.e2e.twins.exchange_request import actor_token
from tests.e2e.twins.layer import Request
from tests.e2e.twins.lenient import issued_anyway, subject_claims, unchecked
from tests.e2e.twins.token_exchange import asked
from tests.e2e.twins.twin import twin


@twin("TX-21", "takes the actor token of any agent that it knows")
def takes_any_agents_actor_token(_stack: InProcess) -> AbstractContextManager[object]:
    """Look only whether it is an actor token."""
    return unchecked("check_actor_token", lambda request: request.actor.subject == OTHER_AGENT)


@twin("TX-21", "looks only at the sub of an actor token")
def looks_only_at_the_actors_sub(_stack: InProcess) -> AbstractContextManager[object]:
    """Take a token that another client got."""

    def sub_alone(request: ExchangeRequest) -> bool:
        return request.actor.subject == request.agent != request.actor.client_id

    return unchecked("check_actor_token", sub_alone)


@twin("TX-21", "looks only at the client_id of an actor token")
def looks_only_at_the_actors_client_id(_stack: InProcess) -> AbstractContextManager[object]:
    """Take a token that the agent got and that names another."""

    def client_id_alone(request: ExchangeRequest) -> bool:
        return request.actor.client_id == request.agent != request.actor.subject

    return unchecked("check_actor_token", client_id_alone)


@twin("TX-23", "sorts out by itself which token is the subject and which the actor")
def sorts_swapped_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Swap them back."""

    def change(request: Request) -> Request | None:
        subject, actor = request.form.get("subject_token", ""), request.form.get("actor_token", "")
        is_swapped = claims_of(subject).get("sub") == AGENT and "may_act" in claims_of(actor)
        return request.with_form(subject_token=actor, actor_token=subject) if is_swapped else None

    return asked(stack, change)


@twin("TX-23", "takes a subject token in the actor's place for the client's own")
def takes_the_subject_token_for_an_actor_token(stack: InProcess) -> AbstractContextManager[None]:
    """Ask only whether it is a good token."""

    def change(request: Request) -> Request | None:
        form = request.form
        is_subject = "may_act" in subject_claims(request) and form["subject_token"] == form.get("actor_token")
        return request.with_form(actor_token=actor_token(stack)) if is_subject else None

    return asked(stack, change)


@twin("TX-24", "lets an agent delegate to itself with its actor token")
def lets_an_agent_delegate_to_itself(stack: InProcess) -> AbstractContextManager[None]:
    """Take the agent's own token for the subject's."""

    def is_its_own(request: Request) -> bool:
        form = request.form
        return (
            bool(form.get("actor_token"))
            and form["actor_token"] == form.get("subject_token")
            and (subject_claims(request).get("sub") == AGENT)
        )

    return issued_anyway(stack, is_its_own)


@twin("TX-24", "does not compare the subject with the agent")
def takes_the_agent_for_a_customer(stack: InProcess) -> AbstractContextManager[None]:
    """Delegate under a subject token that is right but for whose it is."""

    def is_the_agents(request: Request) -> bool:
        claims = subject_claims(request)
        return claims.get("sub") == AGENT and "may_act" in claims

    return issued_anyway(stack, is_the_agents)
