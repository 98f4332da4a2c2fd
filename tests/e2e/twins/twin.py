"""What a twin is: which rule it breaks, how, and what else that shows in."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

from tests.e2e.in_process import InProcess
from tests.e2e.rules import rules
from tests.e2e.verdict import Verdict

Apply = Callable[[InProcess], AbstractContextManager[object]]
"""Breaks the stack for a while: a layer around a service, or another function in the place of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A flaw.

    `verdict` is what the rule's own check must say. `also` are the other rules that show it, with what they
    say; all that are not named must judge as they do without the flaw.
    """

    name: str
    rule_id: str
    flaw: str
    apply: Apply = field(repr=False)
    verdict: Verdict = Verdict.FAIL
    also: Mapping[str, Verdict] = field(default_factory=dict)


TWINS: Final[dict[str, Twin]] = {}
"""Every twin by its name; filled as the modules of this package are imported."""


def twin(
    rule_id: str,
    flaw: str,
    *,
    verdict: Verdict = Verdict.FAIL,
    also: Mapping[str, Verdict] | None = None,
) -> Callable[[Apply], Apply]:
    """Register a function that breaks the stack as the twin of a rule; `flaw` says what is wrong with it.

    Raises:
        ValueError: a rule is unknown, or two twins have one name.
    """
    for one in (rule_id, *(also or {})):
        if one not in rules():
            raise ValueError(f"no rule {one} stands in the catalogue")

    def register(apply: Apply) -> Apply:
        name = getattr(apply, "__name__", "")
        if name in TWINS:
            raise ValueError(f"two twins are called {name}")
        TWINS[name] = Twin(
            name=name, rule_id=rule_id, flaw=flaw, apply=apply, verdict=verdict, also=also or {}
        )
        return apply

    return register
