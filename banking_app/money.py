"""Money as the account API says it: an integer of minor units, with its currency."""

from typing import Final

from pydantic import BaseModel, ConfigDict

_SYMBOLS: Final = {"EUR": "€", "GBP": "£", "USD": "$"}
_MINOR_DIGITS: Final = {"JPY": 0}


class Money(BaseModel):
    """An amount, e.g. `amount_minor=-1250, currency="EUR"` for minus twelve euros fifty."""

    model_config = ConfigDict(frozen=True)

    amount_minor: int
    currency: str

    @property
    def major(self) -> float:
        """Return the amount in major units, for drawing only: never calculate with it."""
        return float(self.amount_minor / 10 ** _MINOR_DIGITS.get(self.currency, 2))

    def __str__(self) -> str:
        digits = _MINOR_DIGITS.get(self.currency, 2)
        units, cents = divmod(abs(self.amount_minor), 10**digits)
        sign = "−" if self.amount_minor < 0 else ""
        fraction = f".{cents:0{digits}d}" if digits else ""
        return f"{sign}{_SYMBOLS.get(self.currency, self.currency + ' ')}{units:,}{fraction}"
