"""A decision that stands: recorded as its effect demands, or a refusal because it cannot be."""

from collections.abc import Callable

from delegation.record import Record
from gateway.call_record import Decided
from gateway.decision import Permit
from gateway.decision_log import CannotRecord, DecisionLog
from gateway.refusals import deny_unrecordable


async def recorded(
    decisions: DecisionLog, decided: Decided, record_of: Callable[[Decided], Record], *, before_effect: bool
) -> tuple[Decided, Record]:
    """Have a decision recorded, to be printed yet; a permit that cannot be recorded becomes a refusal."""
    record = record_of(decided)
    if isinstance(decided.decision, Permit):
        try:
            if before_effect:
                await decisions.permit_on_disk(record)
            else:
                decisions.permit(record)
        except CannotRecord as fault:
            decided = decided._replace(decision=deny_unrecordable(decided.decision, str(fault)))
            record = record_of(decided)
            decisions.refusal(record)
    else:
        decisions.refusal(record)
    return decided, record
