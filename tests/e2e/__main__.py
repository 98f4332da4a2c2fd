"""Judge a deployment by the rules of safe delegation: `python -m tests.e2e --target FILE`."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from tests.e2e.evidence import printable
from tests.e2e.reports.document import document
from tests.e2e.reports.terminal import print_list, print_summary, progress_bar
from tests.e2e.reports.written import remove_reports, write_reports
from tests.e2e.rules import Rule
from tests.e2e.runner import Run, run, selected
from tests.e2e.target import live_target
from tests.e2e.target_file import TargetFile, is_on_this_machine
from tests.e2e.target_reading import read_target_file
from tests.e2e.verdict import UnsoundRun

_ELSEWHERE_PER_SECOND = 20.0
"""How many requests a second go to a target on another machine, unless it is told otherwise."""
_EXIT = (
    "exit status: 0 the target keeps every MUST and every profile rule that was tried; 1 it does not, or a "
    "failure that the target file expects did not happen; 2 nothing can be said: the target file is wrong, "
    "or the target does not answer."
)


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run the suite; returns the exit status."""
    options = _options(arguments)
    console = Console(soft_wrap=True, highlight=False)
    if options.list:
        print_list(console)
        return 0
    try:
        return _judge(options, console, environment)
    except UnsoundRun as unsound:
        return _nothing_said(options, str(unsound))
    except Exception as fault:  # noqa: BLE001 - whatever a target or a file brings about, it is no verdict
        return _nothing_said(options, f"the suite itself broke: {fault!r}")
    except KeyboardInterrupt:
        sys.stderr.write("conformance: interrupted; nothing was judged\n")
        return 130


def _nothing_said(options: argparse.Namespace, reason: str) -> int:
    """Say why there is no verdict, and leave none from before in the place of the report."""
    sys.stderr.write(f"conformance: {printable(reason)}\n")
    if options.report:
        remove_reports(options.report)
    return 2


def _judge(options: argparse.Namespace, console: Console, environment: Mapping[str, str]) -> int:
    chosen: list[Rule] = options.only
    file = _at_bounded_rate(read_target_file(options.target, environment), options.rate)
    found = _run(file, chosen, environment)
    profile = options.profile == "on"
    report = document(found, profile=profile)
    written = write_reports(report, options.report) if options.report else []
    print_summary(console, report, written)
    return found.exit_status(profile=profile)


def _run(file: TargetFile, chosen: list[Rule], environment: Mapping[str, str]) -> Run:
    with live_target(file, environment) as target, progress_bar(Console(stderr=True)) as bar:
        task = bar.add_task("the legitimate exchange and call", total=len(chosen))
        target.prepare()
        return run(target, chosen, lambda done: bar.update(task, advance=1, description=done.rule.id))


def _at_bounded_rate(file: TargetFile, rate: float | None) -> TargetFile:
    default = None if is_on_this_machine(file) else _ELSEWHERE_PER_SECOND
    return file.model_copy(update={"requests_per_second": rate or file.requests_per_second or default})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.e2e",
        description="Judge an authorization server or a gateway by the rules of safe delegation.",
        epilog=f"docs/conformance.md walks through a target file. {_EXIT}",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--target", type=Path, metavar="FILE", help="the target file (TOML) of the deployment")
    what.add_argument("--list", action="store_true", help="list the rules and end")
    parser.add_argument(
        "--only", type=_rules, default=selected(), metavar="IDS", help="rules or sections: TX-06,RS or RS-5"
    )
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write report.json, junit.xml and report.html there"
    )
    parser.add_argument(
        "--profile", choices=("on", "off"), default="on", help="off: broken profile rules do not fail the run"
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        metavar="N",
        help=f"requests a second at most (default: the target file's, else {_ELSEWHERE_PER_SECOND:g}; "
        "unbounded on this machine)",
    )
    return parser.parse_args(arguments)


def _rules(text: str) -> list[Rule]:
    try:
        return selected([name for name in text.replace(",", " ").split() if name])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 10_000:
        raise argparse.ArgumentTypeError("a number of requests a second, more than 0 and at most 10000")
    return rate


if __name__ == "__main__":
    raise SystemExit(main())
