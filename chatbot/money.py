"""Money between model and bank: models get and give decimal text, the bank counts minor units."""

from decimal import Decimal
from typing import Final

from pydantic import BaseModel, model_serializer

_MINOR_DIGITS: Final = {"BHD": 3, "ISK": 0, "JPY": 0, "KRW": 0, "KWD": 3, "TND": 3}
"""Digits behind the point where they are not two (ISO 4217)."""


class Money(BaseModel):
    """An amount as the bank states it; a model reads it as `{"amount": "12.50", "currency": "EUR"}`."""

    amount_minor: int
    currency: str

    @model_serializer
    def as_decimal(self) -> dict[str, str]:
        """Return the amount in major units: models add cents to euros if they are given cents."""
        return {"amount": str(self._major), "currency": self.currency}

    def __str__(self) -> str:
        return f"{self.currency} {self._major:,}"

    @property
    def _major(self) -> Decimal:
        return Decimal(self.amount_minor).scaleb(-_MINOR_DIGITS.get(self.currency, 2))


def minor_units(amount: Decimal, currency: str) -> int:
    """Return the amount in minor units of its currency.

    Raises:
        ValueError: the currency has no such small units.
    """
    minor = amount.scaleb(_MINOR_DIGITS.get(currency, 2))
    if minor != minor.to_integral_value():
        raise ValueError(f"{currency} has not so many digits behind the point")
    return int(minor)
