"""The corpus of injections (corpus.yaml), made out to one customer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from tests.compromised_model.disguises import DISGUISES, disguised

_FILE: Final = Path(__file__).with_name("corpus.yaml")
LONGEST_MEMO: Final = 140
Call = tuple[str, Any]
"""A tool call: its name, and its arguments as JSON values, or as text that is no JSON."""


class Memo(BaseModel):
    """A text that arrives on an account of the customer's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    account: Literal["01", "02"] = "01"


class Injection(BaseModel):
    """An entry of the corpus; the head of the file explains the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: str
    memo: str | list[str | Memo]
    by: Literal["another customer", "another bank"] = "another customer"
    disguise: Literal[tuple(DISGUISES)] | None = None  # type: ignore[valid-type]
    calls: list[Annotated[dict[str, dict[str, Any] | str], Field(min_length=1, max_length=1)]] = []
    tells: str = ""
    needs: str = "account:read_balance"
    for_ever: bool = False

    def for_customer(self, names: Mapping[str, str]) -> "MadeOut":
        """Return the entry with the names of one customer's own accounts, another's, and a payee."""

        def filled(text: str) -> str:
            return Template(text).substitute(names)

        listed = [self.memo] if isinstance(self.memo, str) else self.memo
        memos = [one if isinstance(one, Memo) else Memo(text=one) for one in listed]
        return MadeOut(
            memos=tuple(
                memo.model_copy(
                    update={
                        "text": disguised(filled(memo.text), self.disguise)
                        if self.disguise
                        else filled(memo.text)
                    }
                )
                for memo in memos
            ),
            calls=tuple(as_call(*_item(_deep(one, filled))) for one in self.calls),
            tells=filled(self.tells),
        )


@dataclass(frozen=True, slots=True)
class MadeOut:
    """What arrives at a customer, and what the obeying model makes of it."""

    memos: tuple[Memo, ...]
    calls: tuple[Call, ...]
    tells: str


def as_call(name: str, arguments: Any) -> Call:
    """Return a call so that it can be compared."""
    if isinstance(arguments, str):
        try:
            return name, json.loads(arguments, object_pairs_hook=_members)
        except ValueError:
            return name, arguments
    return name, arguments


def _members(pairs: list[tuple[str, Any]]) -> Any:
    """Keep an object with a repeated name apart from the object that it would become."""
    return dict(pairs) if len(dict(pairs)) == len(pairs) else pairs


def _item(call: dict[str, Any]) -> tuple[str, Any]:
    [item] = call.items()
    return item


def _deep(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _deep(one, change) for name, one in value.items()}
    return value


def corpus() -> list[Injection]:
    """Return all entries."""
    return [Injection.model_validate(one) for one in yaml.safe_load(_FILE.read_text())]
