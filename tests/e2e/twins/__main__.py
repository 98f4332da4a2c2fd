"""`make twins`: every twin against every check. Fails on a twin that survives, or that shows undeclared."""

import argparse
import sys

from rich.console import Console
from rich.markup import escape

from tests.e2e.rules import rules
from tests.e2e.runner import selected
from tests.e2e.twins.matrix import Row, matrix
from tests.e2e.twins.twin import TWINS


def main() -> int:
    """Print the matrix; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.twins", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="ID", default=[], help="twins of these rules or sections"
    )
    chosen = {rule.id for rule in selected(parser.parse_args().only)}
    twins = sorted((one for one in TWINS.values() if one.rule_id in chosen), key=lambda one: one.rule_id)
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False)
    passed = failed = 0
    for row in matrix(twins):
        passed, failed = (passed + 1, failed) if row.is_as_declared else (passed, failed + 1)
        _print(console, row)
    for rule_id in sorted(rules().keys() & chosen - {one.rule_id for one in twins}):
        if not rules()[rule_id].untested:
            failed += 1
            console.print(f"[bold red]{rule_id} has no twin[/]")
    console.print(f"twins: {passed} passed, {failed} failed")
    return 1 if failed else 0


def _print(console: Console, row: Row) -> None:
    twin = row.twin
    caught = f"[green]caught ({row.said})[/]" if row.is_caught else f"[bold red]SURVIVES ({row.said})[/]"
    console.print(f"{twin.rule_id} {caught} {twin.name}: {escape(twin.flaw)}")
    if twin.also:
        console.print(
            f"      also, as declared: {', '.join(f'{i} {v}' for i, v in twin.also.items())}", style="dim"
        )
    for rule_id, verdict in row.surprises.items():
        console.print(f"      [bold red]not declared: {rule_id} {verdict}[/]")


if __name__ == "__main__":
    raise SystemExit(main())
