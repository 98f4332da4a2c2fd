"""`python -m benchmarks` (`make bench`): gateways and token exchanges against each other, on this machine.

Every contender is started on 127.0.0.1, checked for what it must refuse, and only then timed, in interleaved
rounds. The report goes to benchmarks/results/DATE-….md, .json and .svg. README.md says how to read it.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import end_to_end, exchanges, gateway_curves, gateways
from benchmarks.chart import chart
from benchmarks.cores import REST, keep_to
from benchmarks.load import CannotMeasure
from benchmarks.machine import commit, machine, versions
from benchmarks.markdown import markdown
from benchmarks.rounds import FULL, QUICK, Run
from benchmarks.section import Report, Section

RESULTS: Final = Path(__file__).with_name("results")
QUICKLY: Final = ("gateways", "exchange", "end-to-end")
"""What `--quick` measures, unless it is told what."""
SECTIONS: Final[dict[str, Callable[[Run], Section]]] = {
    "gateways": gateways.comparison,
    "exchange": exchanges.comparison,
    "end-to-end": end_to_end.comparison,
    "live-tokens": gateway_curves.live_tokens,
    "answers": gateway_curves.answers,
    "requests": gateway_curves.requests,
    "policies": gateway_curves.policies,
    "workers": gateway_curves.workers,
    "records": gateway_curves.records,
}


def main() -> int:
    """Measure, and write the report."""
    arguments = _parser().parse_args()
    everything = QUICKLY if arguments.quick else tuple(SECTIONS)
    only = arguments.only.split(",") if arguments.only else everything
    unknown = set(only) - set(SECTIONS)
    if unknown:
        sys.stderr.write(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}\n")
        return 2
    pace = QUICK if arguments.quick else FULL
    if arguments.rounds:
        pace = replace(pace, rounds=arguments.rounds)
    run = Run(pace, _say, tuple(arguments.contenders.split(",")) if arguments.contenders else ())
    keep_to(REST)
    began = datetime.now(UTC)
    try:
        about = (f"{began:%Y-%m-%d %H:%M} UTC", commit(), machine(), versions(), pace.rounds)
        found = [SECTIONS[name](run) for name in only]
    except CannotMeasure as error:
        sys.stderr.write(f"{error}\n")
        return 1
    report = Report(*about, found, run.not_timed)
    _write(report, arguments.out, f"{began:%Y-%m-%d-%H%M}")
    failed = [one for section in found for one in section.measured if one.sample.errors]
    for one in failed:
        _say(f"{one.contender}, {one.case}: {one.sample.errors} errors; such a figure says nothing")
    return 1 if run.not_timed or failed else 0


def _write(report: Report, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    page = markdown(report, f"{name}.svg")
    (folder / f"{name}.md").write_text(page)
    (folder / f"{name}.svg").write_text(chart(report))
    (folder / f"{name}.json").write_text(json.dumps(asdict(report), indent=1) + "\n")
    sys.stdout.write(f"{page}\n{folder / name}.md\n")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help=f"of {', '.join(SECTIONS)}, with commas between them")
    parser.add_argument("--contenders", default="", help="parts of names, with commas between: envoy,this")
    parser.add_argument(
        "--rounds", type=int, default=0, help=f"how many rounds of each comparison; {FULL.rounds} if not said"
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"one short round of {', '.join(QUICKLY)}: in two minutes"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder for the report")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
