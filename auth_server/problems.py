"""Refusals of the administration API, which are recorded where they are answered."""

from delegation.problem import Problem


class Refused(Problem):
    """A request that is not done; `reason` is what its record says, and quotes nothing that was sent."""

    def __init__(self, status: int, detail: str, reason: str = "") -> None:
        super().__init__(status, detail)
        self.reason = reason or detail
