"""Each twin against every check: who caught it, and who judged otherwise than declared."""

import contextlib
import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.in_process import InProcess, in_process
from tests.e2e.rules import Rule
from tests.e2e.runner import selected, try_rule
from tests.e2e.target import Target
from tests.e2e.twins.twin import Twin
from tests.e2e.verdict import Verdict

Verdicts = Mapping[str, Verdict]

for _file in Path(__file__).parent.glob("[!_]*.py"):
    importlib.import_module(f"{__package__}.{_file.stem}")


@dataclass(frozen=True, slots=True)
class Row:
    """What the checks said of one twin. `surprises` are other rules' verdicts that were not declared."""

    twin: Twin
    verdict: Verdict
    surprises: Verdicts

    @property
    def is_caught(self) -> bool:
        """Tell whether the twin's own check said what it must."""
        return self.verdict is self.twin.verdict

    @property
    def is_as_declared(self) -> bool:
        """Tell whether every check said what it must."""
        return self.is_caught and not self.surprises


@contextlib.contextmanager
def quiet_stack() -> Iterator[tuple[InProcess, Target]]:
    """Give our stack in process; the records that its services print are dropped."""
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        in_process() as stack,
        stack.target() as target,
    ):
        target.prepare()
        yield stack, target


def verdicts(target: Target, chosen: Iterable[Rule]) -> dict[str, Verdict]:
    """Return what the checks say."""
    return {rule.id: try_rule(target, rule).verdict for rule in chosen}


def row(stack: InProcess, target: Target, one: Twin, chosen: Iterable[Rule], sound: Verdicts) -> Row:
    """Try a twin with the chosen rules; `sound` is what they say of the stack without a flaw."""
    with one.apply(stack):
        found = verdicts(target, chosen)
    expected = dict(sound) | dict(one.also) | {one.rule_id: one.verdict}
    surprises = {i: v for i, v in found.items() if v is not expected[i] and i != one.rule_id}
    return Row(one, found[one.rule_id], surprises)


def matrix(chosen: Sequence[Rule], twins: Iterable[Twin]) -> Iterator[Row]:
    """Try every one of the twins with every one of the rules, and with its own."""
    with quiet_stack() as (stack, target):
        sound = verdicts(target, chosen)
        for one in twins:
            own = [rule for rule in selected([one.rule_id]) if rule not in chosen]
            yield row(stack, target, one, [*chosen, *own], sound)
