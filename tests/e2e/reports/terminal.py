"""A run on the terminal: progress while it lasts, then what is broken, and one line of counts at the end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.e2e.reports.page import shown
from tests.e2e.rules import Rule, rules

_STYLES = {
    "pass": "green",
    "fail": "bold red",
    "wrong code": "yellow",
    "expected failure": "yellow",
    "not applicable": "dim",
    "not run": "dim",
}


def progress_bar(console: Console) -> Progress:
    """Return a bar that says which rule is tried; it shows only where there is a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def print_list(console: Console) -> None:
    """Print every rule: id, kind, who keeps it, the sentence and its source."""
    for rule in rules().values():
        _print_rule(console, rule)


def _print_rule(console: Console, rule: Rule) -> None:
    console.print(
        f"[bold]{rule.id}[/] {rule.kind}, {rule.target}. {escape(rule.sentence)} ({escape(rule.source)})"
    )
    if rule.untested:
        console.print(f"      no check: {escape(rule.untested)}", style="dim")


def print_summary(console: Console, report: dict[str, Any], written: Sequence[Path] = ()) -> None:
    """Print what a person needs to know of a run, and which files were written; the line of counts last."""
    results = [(shown(one), one) for one in report["results"]]
    for verdict, one in results:
        if verdict in {"not applicable", "not run"}:
            console.print(f"[dim]{one['id']} {verdict}: {escape(one['reason'])}[/]")
    for verdict, one in results:
        if one["actual"]:
            _print_broken(console, verdict, one)
        elif one["expected_failure"] and one["verdict"] == "pass":
            console.print(
                f"[bold red]{one['id']} holds, and the target file says that it fails: take it out[/]"
            )
    console.print()
    for name in ("spec", "profile"):
        told = ", ".join(
            f"[{_STYLES[verdict]}]{count} {verdict}[/]"
            for verdict, count in report["counts"][name].items()
            if count
        )
        console.print(f"{name + ':':9}{told}")
    console.print(f"[bold]{escape(report['target']['name'])}: {report['verdict']}[/] ({report['seconds']} s)")
    not_run = report["counts"]["spec"]["not run"] + report["counts"]["profile"]["not run"]
    if not_run:
        console.print(f"{not_run} rules were not run: nobody vouches for them")
    for path in written:
        console.print(f"wrote {path}")
    console.print(_count_line(report))


def _print_broken(console: Console, verdict: str, one: dict[str, Any]) -> None:
    console.print()
    console.print(f"[{_STYLES[verdict]}]{one['id']} {verdict}[/] ({one['kind']}) {escape(one['sentence'])}")
    for label, text in (
        ("expected", one["expected"]),
        ("got", one["actual"]),
        ("known", one["expected_failure"]),
        ("mend", one["mend"]),
        ("source", one["source"]),
    ):
        if text:
            console.print(f"  {label + ':':10}{escape(text)}")
    if one["evidence"]:
        last = one["evidence"][one["decisive"]]
        for sign, text in ((">", last["request"]), ("<", last["answer"])):
            for line in text.splitlines():
                console.print(f"    {sign} {escape(line)}", style="dim")


def _count_line(report: dict[str, Any]) -> str:
    totals = {
        name: sum(group[name] for group in report["counts"].values()) for name in report["counts"]["spec"]
    }
    skipped = totals["not applicable"] + totals["not run"] + totals["expected failure"]
    failed = totals["fail"] + totals["wrong code"]
    return f"conformance: {totals['pass']} passed, {failed} failed, {skipped} skipped"
