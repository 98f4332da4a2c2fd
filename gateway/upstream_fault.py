"""Why the resource gave no answer that can be passed on."""


class UpstreamFault(Exception):
    """The resource gave no answer that can be passed on.

    `status` is the gateway's own, `kind` the last part of the problem's type. `reason` and `next_step` are
    for the caller and name nothing behind the gateway.
    """

    status = 502
    kind = "upstream-broken"
    reason = "The resource gave no complete answer."
    next_step = "It may have done what was asked: repeat a write only with the same Idempotency-Key."


class Unreachable(UpstreamFault):
    """No connection, or none in time: the call was not made."""

    kind = "upstream-unreachable"
    reason = "The resource cannot be reached."
    next_step = "Nothing was done. Send the call again shortly."


class TimedOut(UpstreamFault):
    """No answer in time: the call may have been carried out all the same."""

    status = 504
    kind = "upstream-timeout"
    reason = "The resource did not answer in time."
