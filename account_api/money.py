"""Money on the wire: an integer of minor units (cents) with its currency (ISO 4217)."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]

MAX_TRANSFER_MINOR: Final = 1_000_000_000


class Money(BaseModel):
    """An amount as the bank states it; negative where it is owed or leaves an account."""

    model_config = ConfigDict(frozen=True)

    amount_minor: int
    currency: Currency


class TransferAmount(BaseModel):
    """An amount that a caller orders: a whole number of minor units, never text or a fraction."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    amount_minor: Annotated[int, Field(ge=1, le=MAX_TRANSFER_MINOR)]
    currency: Currency
