"""A decision that stands: recorded as its effect demands, or a refusal because it cannot be."""

from collections.abc import Callable
from dataclasses import replace

from delegation.record import Record
from gateway.call_record import Decided
from gateway.decision import Permit
from gateway.decision_log import CannotRecord, DecisionLog
from gateway.refusals import deny_unrecordable


async def recorded(
    decisions: DecisionLog, decided: Decided, record_of: Callable[[Decided], Record], *, before_effect: bool
) -> tuple[Decided, Record]:
    """Have a decision recorded and printed; a permit that cannot be recorded becomes a refusal."""
    record = record_of(decided)
    if isinstance(decided.decision, Permit):
        try:
            await decisions.permit(record, before_effect=before_effect)
        except CannotRecord as fault:
            decided = replace(decided, decision=deny_unrecordable(decided.decision, str(fault)))
            record = record_of(decided)
            decisions.refusal(record)
    else:
        decisions.refusal(record)
    await decisions.print(record)
    return decided, record
