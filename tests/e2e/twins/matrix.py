"""Each twin against every check: who caught it, and who judged otherwise than declared."""

import contextlib
import importlib
import multiprocessing
import multiprocessing.util
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.in_process import InProcess, in_process
from tests.e2e.rules import rules
from tests.e2e.runner import try_rule
from tests.e2e.target import Target
from tests.e2e.twins.twin import TWINS, Twin

Said = Mapping[str, str]
"""What the checks said: the verdict by the rule's id, or `unsound` where a check got no usable answer."""

for _file in Path(__file__).parent.glob("[!_]*.py"):
    importlib.import_module(f"{__package__}.{_file.stem}")


@dataclass(frozen=True, slots=True)
class Row:
    """What the checks said of one twin. `surprises` are other rules' verdicts that were not declared."""

    name: str
    said: str
    surprises: Said

    @property
    def twin(self) -> Twin:
        """Return the twin."""
        return TWINS[self.name]

    @property
    def is_caught(self) -> bool:
        """Tell whether the twin's own check said what it must."""
        return self.said == self.twin.verdict.value

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


def matrix(twins: Sequence[Twin]) -> Iterator[Row]:
    """Try every one of the twins with every rule: on as many stacks at once as there are processors."""
    workers = max(1, min(os.cpu_count() or 1, len(twins)))
    spawn = multiprocessing.get_context(
        "spawn"
    )  # the stack runs in threads, which a fork would not take along
    with ProcessPoolExecutor(workers, spawn, initializer=_begin) as pool:
        yield from pool.map(_row, [one.name for one in twins])


class _Worker:
    """One process of the matrix: its stack, and what the checks say of it without a flaw."""

    ending: ExitStack
    stack: InProcess
    target: Target
    sound: Said


def _begin() -> None:
    _Worker.ending = ExitStack()
    _Worker.stack, _Worker.target = _Worker.ending.enter_context(quiet_stack())
    _Worker.sound = _said(_Worker.target)
    multiprocessing.util.Finalize(None, _Worker.ending.close, exitpriority=1)


def _row(name: str) -> Row:
    twin = TWINS[name]
    try:
        with twin.apply(_Worker.stack):
            found = _said(_Worker.target)
    except Exception as error:  # noqa: BLE001 - a twin that cannot be made is a row of the matrix, not its end
        return Row(name, f"the twin broke: {error!r}", {})
    expected = dict(_Worker.sound) | {rule_id: verdict.value for rule_id, verdict in twin.also.items()}
    surprises = {i: said for i, said in found.items() if said != expected[i] and i != twin.rule_id}
    return Row(name, found[twin.rule_id], surprises)


def _said(target: Target) -> dict[str, str]:
    results = [try_rule(target, rule, confirm=False) for rule in rules().values()]
    return {one.rule.id: "unsound" if one.unsound else one.verdict.value for one in results}
