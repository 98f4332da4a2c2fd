"""What the command line does with policies: `check`, `explain`, `test`, `replay`; `export` is elsewhere."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from delegation.database import open_database
from delegation.record_table import record_of
from gateway import tables
from gateway.decision import Deny, decide
from gateway.explanation import explanation
from gateway.policy import Policy
from gateway.policy_cases import UnsoundCases, failures
from gateway.policy_export import add_export_parser
from gateway.policy_file import UnsoundPolicy, read_policy, reviewed_policy
from gateway.policy_review import warnings
from gateway.recorded import POLICYS_OWN, CannotTell, outcome, recorded_outcome, recorded_request, under
from gateway.settings import DATABASE_FILE, POLICIES, Settings

_MEMBERS: Final = frozenset({"decision", "decision_id", "operation", "reason", "time"})
"""What a line of a log has that is a record."""


class Unusable(Exception):
    """What was asked for cannot be done; the text says why."""


def add_policy_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `policy` and its subcommands; each sets `run`, which returns the exit status."""
    policy = commands.add_parser("policy", help="check, explain, test, replay, export").add_subparsers(
        required=True
    )
    check = policy.add_parser("check", help="tell what is wrong with a policy file, each fault with its line")
    check.add_argument("file", nargs="?", type=Path, help="default: POLICY_FILE")
    check.add_argument(
        "--openapi", type=Path, help="the resource's OpenAPI document in JSON, to compare with"
    )
    check.add_argument("--strict", action="store_true", help="exit status 1 for warnings, too")
    check.set_defaults(run=_check)
    explain = policy.add_parser("explain", help="show each check of a recorded decision")
    explain.add_argument(
        "--decision", required=True, help="its id: the Decision-Id header, decision_id in records"
    )
    explain.add_argument("--log", type=Path, help="the records as JSON lines; default: the database")
    explain.add_argument(
        "--policy", type=Path, help="the policy that decided; default: the one that was kept"
    )
    explain.set_defaults(run=_explain)
    test = policy.add_parser("test", help="run a table of cases in YAML")
    test.add_argument("file", type=Path)
    test.add_argument("--policy", type=Path, help="default: POLICY_FILE")
    test.set_defaults(run=_test)
    replay = policy.add_parser("replay", help="tell which recorded decisions another policy would change")
    replay.add_argument("--log", type=Path, required=True, help="the records as JSON lines")
    replay.add_argument("--policy", type=Path, required=True, help="the new policy")
    replay.set_defaults(run=_replay)
    add_export_parser(policy)


def run_policy(parsed: argparse.Namespace) -> int:
    """Run a subcommand; returns the exit status."""
    run: Callable[[argparse.Namespace], int] = parsed.run
    try:
        return run(parsed)
    except UnsoundPolicy as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (Unusable, UnsoundCases) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _check(parsed: argparse.Namespace) -> int:
    path = parsed.file or Settings().policy_file
    policy, document = reviewed_policy(path)
    resource = _openapi(parsed.openapi) if parsed.openapi else None
    found = warnings(policy, document, resource)
    for warning in found:
        sys.stderr.write(f"{path}:{warning.line}: warning: {warning.message}\n")
    sys.stdout.write(f"{path}: sound, {len(policy.operations)} operations, version {policy.version}\n")
    return 1 if found and parsed.strict else 0


def _explain(parsed: argparse.Namespace) -> int:
    record = _record(parsed.decision, parsed.log)
    status, kind = recorded_outcome(record)
    said = f"{status} {kind}" if kind else status
    _say(f"{parsed.decision}  {record['time']}  {said}", record["reason"])
    try:
        request = recorded_request(record)
    except CannotTell as error:
        sys.stdout.write(f"There is no more to explain: {error}.\n")
        return 0
    if status == "deny" and kind not in POLICYS_OWN:
        sys.stdout.write("The policy did not decide this: the call itself could not be let through.\n")
        return 0
    policy = _policy_of(record, parsed.policy)
    if request.operation not in policy.operations:
        raise Unusable(f"{request.operation} is not in this policy: it is another than the one that decided")
    parts = (record["call"].get("method"), record["call"].get("tool"), record.get("resource"))
    call = " ".join(part for part in parts if part)
    _say(f"policy {policy.version}", f"  operation       {request.operation}: {call}")
    decided = False
    for check in explanation(policy, request):
        mark = "  <- decided" if check.outcome == "fail" and not decided else ""
        decided = decided or check.outcome == "fail"
        _say(f"  {check.name:<15} {check.outcome:<12} {check.values}{mark}")
    if outcome(decide(policy, request)) != (status, kind):
        sys.stderr.write(
            "This policy decides otherwise than the record says: it is not the one that decided.\n"
        )
        return 1
    return 0


def _test(parsed: argparse.Namespace) -> int:
    count, failed = failures(read_policy(parsed.policy or Settings().policy_file), parsed.file)
    for fault in failed:
        sys.stderr.write(f"{parsed.file}:{fault.line}: {fault.message}\n")
    sys.stdout.write(f"{count - len(failed)} of {count} cases as expected\n")
    return 1 if failed else 0


def _replay(parsed: argparse.Namespace) -> int:
    policy, counted = read_policy(parsed.policy), {"same": 0, "changed": 0, "untold": 0, "other": 0}
    for record in _logged(parsed.log):
        counted[_replayed(policy, record)] += 1
    sys.stdout.write(
        "{changed} decisions would change, {same} would not, {untold} cannot be told, "
        "{other} were not the policy's\n".format(**counted)
    )
    return 1 if counted["changed"] else 0


def _replayed(policy: Policy, record: Mapping[str, Any]) -> str:
    before = recorded_outcome(record)
    if not record.get("call") or (before[0] == "deny" and before[1] not in POLICYS_OWN):
        return "other"
    try:
        request = under(policy, record)
    except CannotTell as error:
        _say(f"{record['decision_id']}  {record['operation']}: cannot be told: {error}")
        return "untold"
    decision = request if isinstance(request, Deny) else decide(policy, request)
    after = outcome(decision)
    if after == before:
        return "same"
    told = " -> ".join(" ".join(filter(None, one)) for one in (before, after))
    _say(f"{record['decision_id']}  {record['operation']}: {told}: {decision.reason}")
    return "changed"


def _say(*lines: str) -> None:
    """Print lines that hold what a log holds: what a terminal would obey is shown, and not obeyed."""
    for line in lines:
        shown = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)
        sys.stdout.write(f"{shown}\n")


def _logged(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the gateway's records of a log, which may hold other lines, too."""
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if not line.startswith("{"):
                    continue
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if record.get("service") == "gateway" and record.keys() >= _MEMBERS:
                    yield record
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: cannot be read") from error


def _record(decision_id: str, log: Path | None) -> dict[str, Any]:
    if log is not None:
        found = next((one for one in _logged(log) if one["decision_id"] == decision_id), None)
    else:
        found = _stored(decision_id)
    if found is None:
        raise Unusable(f"there is no record of decision {decision_id}")
    return found


def _stored(decision_id: str) -> dict[str, Any] | None:
    settings = Settings()
    url, file = settings.database_url.get_secret_value(), settings.data_dir / DATABASE_FILE
    if not url and not file.exists():
        raise Unusable(f"there are no records at {file}: set DATA_DIR or DATABASE_URL, or name a --log")
    engine = open_database(url, file)
    try:
        with engine.begin() as connection:
            query = select(tables.record).where(tables.record.c.decision_id == decision_id)
            row = connection.execute(query).mappings().one_or_none()
    except SQLAlchemyError as error:
        raise Unusable(f"the records cannot be read ({type(error).__name__})") from error
    finally:
        engine.dispose()
    return record_of(dict(row)) if row is not None else None


def _policy_of(record: Mapping[str, Any], given: Path | None) -> Policy:
    version = record.get("policy_version")
    path = given or Settings().data_dir / POLICIES / f"{version}.yaml"
    if given is None and not path.exists():
        raise Unusable(f"policy {version} decided, and is not at {path}: name it with --policy")
    policy = read_policy(path)
    if policy.version != version:
        sys.stderr.write(f"policy {version} decided; {path} is {policy.version}\n")
    return policy


def _openapi(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Unusable(f"{path}: is no JSON that can be read") from error
    if not isinstance(document, dict) or "paths" not in document:
        raise Unusable(f"{path}: is no OpenAPI document")
    return document
