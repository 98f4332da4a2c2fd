"""Exchange, gateway and API together, over one connection: what an agent's tool call waits for."""

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.chain import measure_chain
from benchmarks.contenders.our_gateway import OURS
from benchmarks.contenders.our_stack import our_stack
from benchmarks.contenders.usual_gateway import USUAL
from benchmarks.contenders.usual_stack import usual_stack
from benchmarks.exchange_refusals import wrongly_answered
from benchmarks.gateway_refusals import wrongly_passed
from benchmarks.rounds import Measured, Run, told
from benchmarks.section import Section

CASE: Final = "exchange + gateway + API, 1 connection"
OUR_STACK: Final = "this auth server, gateway and account API"
USUAL_STACK: Final = "FastAPI + PyJWT + httpx2, three of them"
# Events of ended tokens, and the condition, are the gateways' own comparison.
_STACKS: Final = {
    OUR_STACK: (our_stack, replace(OURS, hears_of_ended_tokens=False, has_conditions=False)),
    USUAL_STACK: (usual_stack, USUAL),
}


def comparison(run: Run) -> Section:
    """Compare our three services with three of the usual kind."""
    found, stacks = [], {}
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder, ExitStack() as ending:
        for name, (start, gateway) in _STACKS.items():
            if not run.wants(name):
                continue
            run.say(f"{name}: is started, and what it refuses is checked")
            stack = ending.enter_context(start(Path(tempfile.mkdtemp(dir=folder))))
            passed = wrongly_answered(stack.exchange, stack.exchanges)
            passed += wrongly_passed(gateway, stack.gateway, stack.exchanges.issuer, stack.path)
            if run.may_time(name, passed):
                stacks[name] = stack
        for number in range(1, run.pace.rounds + 1):
            for name, stack in stacks.items():
                measure_chain(stack, run.pace.warm_up_seconds)
                one = Measured(name, CASE, measure_chain(stack, run.pace.seconds))
                run.say(told(one, number, run.pace.rounds))
                found.append(one)
    return Section(
        "end-to-end",
        "Exchange, gateway and API",
        "What an agent waits for: an exchange, and a call with the new token through the gateway. All three "
        "services share one core. Ours keep records on disk, and hear of tokens that have ended.",
        "comparison",
        (USUAL_STACK,),
        found,
    )
