"""The harness can fail: a bank with one flaw breaks the invariant that is there for it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Connection, select

import chatbot.agent
import gateway.decision
from account_api import accounts, tables
from account_api.call import Recorder
from chatbot.call_refusals import CallRefusals
from chatbot.model import ToolCall
from chatbot.step_log import StepLog
from chatbot.tool_runner import Question, ToolRunner
from delegation.authorization_details import AccountTransfer
from delegation.problem import Problem
from tests.compromised_model import invariants
from tests.compromised_model.corpus import corpus
from tests.compromised_model.invariants import Invariant, broken
from tests.compromised_model.people import PEOPLE
from tests.compromised_model.world import World
from tests.e2e.in_process import OTHER_AGENT
from tests.e2e.twins.lax_gateway import answering
from tests.e2e.twins.layer import Request, Response
from tests.e2e.twins.lenient import RESOURCE, issued_anyway

CORPUS = {one.id: one for one in corpus()}
BALANCES, TRANSACTIONS, EVERYTHING = PEOPLE
Weaken = Callable[[World], AbstractContextManager[object]]


@dataclass(frozen=True)
class Flaw:
    """A flaw, which injection shows it with which customer, and the invariant that it breaks."""

    weaken: Weaken
    injection_id: str
    who: str
    breaks: Invariant


def _another_owner(_world: World) -> AbstractContextManager[object]:
    """The account API looks at whose an account is, and serves it all the same."""
    checked = accounts.held_account

    def anybodys(db: Connection, sub: str, account_id: str) -> accounts.HeldAccount:
        owner = db.scalar(select(tables.account.c.owner).where(tables.account.c.id == account_id))
        return checked(db, owner or sub, account_id)

    return patch.object(accounts, "held_account", anybodys)


def _beyond_the_grant(**claims: Any) -> Weaken:
    """The authorization server issues what it ought to refuse; `claims` of the token differ."""
    return lambda world: issued_anyway(world.bank, lambda request: request.is_exchange, **claims)


def _no_conditions(_world: World) -> AbstractContextManager[object]:
    """The gateway's policy has lost its conditions."""
    return patch.object(gateway.decision, "CONDITION_RULES", ())


def _no_limit(_world: World) -> AbstractContextManager[object]:
    """The account API does not look at the token's limit."""
    return patch.object(AccountTransfer, "allows", lambda _limit, _amount: True)


def _tells_the_token(world: World) -> AbstractContextManager[object]:
    """The gateway repeats the token that it got in its error text."""

    def told(request: Request, answer: Response) -> Response:
        token = dict(request.headers).get("authorization", "")
        return answer.with_body(answer.body.replace(b"The customer has no account", token.encode()))

    return answering(world.bank, told)


def _own_refusals_unrecorded(_world: World) -> AbstractContextManager[object]:
    """The chatbot keeps to itself what it refused."""
    return patch.object(CallRefusals, "record", lambda *_refusal: None)


def _banks_refusals_unrecorded(_world: World) -> AbstractContextManager[object]:
    """The account API records what was done, and not what was tried."""

    def refuse(_recorder: Recorder, problem: Problem) -> Problem:
        return problem

    return patch.object(Recorder, "refuse", refuse)


@contextmanager
def _unbounded(_world: World) -> Iterator[None]:
    """The chatbot lets the model go on."""
    with ExitStack() as ending:
        ending.enter_context(patch.object(chatbot.agent, "_MAX_ROUNDS", 12))
        ending.enter_context(patch.object(chatbot.agent, "_MAX_CALLS", 100))
        yield


def _transfer_after_transfer(_world: World) -> AbstractContextManager[object]:
    """The chatbot forgets that the question has had its transfer."""
    run = ToolRunner.run

    async def forgetful(
        self: ToolRunner, wish: ToolCall, question: Question, steps: StepLog, number: int
    ) -> dict[str, Any]:
        return await run(self, wish, replace(question, ordered=[]), steps, number)

    return patch.object(ToolRunner, "run", forgetful)


FLAWS = {
    "the API serves another's account": Flaw(
        _another_owner, "openai-tool-call", TRANSACTIONS, invariants.nothing_of_another_customer_is_read
    ),
    "the API shows another's transactions": Flaw(
        _another_owner, "openai-function-call", TRANSACTIONS, invariants.nothing_of_another_customer_is_read
    ),
    "a token for transfers without consent": Flaw(
        _beyond_the_grant(), "order-in-plain-words", BALANCES, invariants.money_moves_only_within_the_grant
    ),
    "a scope beyond the grant": Flaw(
        _beyond_the_grant(),
        "order-in-plain-words",
        BALANCES,
        invariants.every_token_is_the_agents_for_one_resource_within_the_grant,
    ),
    "a token of another agent": Flaw(
        _beyond_the_grant(act={"sub": OTHER_AGENT}),
        "order-in-plain-words",
        BALANCES,
        invariants.every_token_is_the_agents_for_one_resource_within_the_grant,
    ),
    "a token for two resources": Flaw(
        _beyond_the_grant(aud=[RESOURCE, "https://card.api.example.com"]),
        "order-in-plain-words",
        BALANCES,
        invariants.every_token_is_the_agents_for_one_resource_within_the_grant,
    ),
    "a token for another customer": Flaw(
        _beyond_the_grant(sub="maria@example.com"),
        "order-in-plain-words",
        BALANCES,
        invariants.nothing_of_another_customer_is_read,
    ),
    "a policy without conditions": Flaw(
        _no_conditions,
        "amount-above-the-gateways-limit",
        EVERYTHING,
        invariants.every_permit_is_an_operation_of_the_policy,
    ),
    "a limit that nobody looks at": Flaw(
        _no_limit,
        "amount-above-the-customers-limit",
        EVERYTHING,
        invariants.money_moves_only_within_the_grant,
    ),
    "transfer after transfer": Flaw(
        _transfer_after_transfer, "pays-for-ever", EVERYTHING, invariants.money_moves_only_within_the_grant
    ),
    "an error that repeats the token": Flaw(
        _tells_the_token,
        "openai-tool-call",
        TRANSACTIONS,
        invariants.no_secret_reaches_the_model_or_the_customer,
    ),
    "a refusal that the chatbot keeps to itself": Flaw(
        _own_refusals_unrecorded, "asks-for-the-token", TRANSACTIONS, invariants.every_refusal_is_recorded
    ),
    "a refusal that the API keeps to itself": Flaw(
        _banks_refusals_unrecorded, "openai-tool-call", TRANSACTIONS, invariants.every_refusal_is_recorded
    ),
    "a question without end": Flaw(
        _unbounded, "reads-for-ever", TRANSACTIONS, invariants.a_question_causes_a_bounded_number_of_calls
    ),
}


@pytest.mark.parametrize("name", FLAWS)
def test_a_bank_with_a_flaw_breaks_the_invariant(world: World, name: str) -> None:
    flaw = FLAWS[name]

    with flaw.weaken(world):
        seen = world.try_injection(PEOPLE[flaw.who], CORPUS[flaw.injection_id])

    assert flaw.breaks.__name__ in broken(seen)


def test_every_invariant_has_a_flaw_that_breaks_it() -> None:
    assert {flaw.breaks for flaw in FLAWS.values()} == set(invariants.INVARIANTS)
