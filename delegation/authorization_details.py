"""What a token may do beyond what a scope can say: `authorization_details` (RFC 9396)."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

_MAX_MINOR: Final = 2**53 - 1
"""The largest number that every reader of JSON takes exactly (RFC 8259 §6)."""


@dataclass(frozen=True, slots=True)
class AccountTransfer:
    """The details of type `account_transfer`: one transfer moves `max_amount_minor` at most.

    It counts in minor units of the paying account's currency. Without these details only the scope counts.
    """

    TYPE: ClassVar[str] = "account_transfer"

    max_amount_minor: int

    def allows(self, amount_minor: int) -> bool:
        """Tell whether one transfer may move this much, in minor units."""
        return amount_minor <= self.max_amount_minor

    def as_claim(self) -> list[dict[str, Any]]:
        """Return the value of `authorization_details` (RFC 9396 §2)."""
        return [{"type": self.TYPE, "max_amount_minor": self.max_amount_minor}]

    @classmethod
    def from_claim(cls, claim: object) -> Self:
        """Read the `authorization_details` of a token.

        What is not understood whole is refused, as RFC 9396 §5 has it for requests: to pass over a detail
        would be to pass over a limit.

        Raises:
            ValueError: not an array of exactly one object of this type, with a whole number above zero and
                nothing else.
        """
        if not isinstance(claim, list) or len(claim) != 1 or not isinstance(claim[0], dict):
            raise ValueError("authorization_details must be an array of one object")
        [details] = claim
        if details.get("type") != cls.TYPE:
            raise ValueError(f"the only type of authorization_details is {cls.TYPE}")
        limit = details.get("max_amount_minor")
        if details.keys() != {"type", "max_amount_minor"} or type(limit) is not int:
            raise ValueError(f"{cls.TYPE} has a whole max_amount_minor, and nothing else")
        if not 0 < limit <= _MAX_MINOR:
            raise ValueError("max_amount_minor is out of range")
        return cls(limit)
