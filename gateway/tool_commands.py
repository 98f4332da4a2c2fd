"""What the command line does with tools: `list`, `show` and `accept`."""

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.policy import Policy
from gateway.policy_file import UnsoundPolicy, read_policy
from gateway.settings import TOOLS, Settings
from gateway.tool_definition import NoDefinition, ToolDefinition
from gateway.tool_pin import NotWritable, write_pin
from gateway.tool_registry import state_of
from gateway.tool_store import ToolStore


class Unusable(Exception):
    """What was asked for cannot be done; the text says why."""


def add_tools_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `tools` and its subcommands; each sets `run`, which returns the exit status."""
    tools = commands.add_parser("tools", help="list, show and accept MCP tools").add_subparsers(required=True)
    listed = tools.add_parser(
        "list", help="tell the state of each tool; exit status 1 unless all are accepted"
    )
    show = tools.add_parser("show", help="show a tool's definition, and how it differs from the accepted one")
    accept = tools.add_parser("accept", help="write the hash of a tool's definition into the policy file")
    for parser, run in ((listed, _list), (show, _show), (accept, _accept)):
        parser.add_argument(
            "--definitions",
            type=Path,
            help="what the server says of its tools, in JSON; default: what was seen",
        )
        parser.add_argument("--policy", type=Path, help="default: POLICY_FILE")
        parser.set_defaults(run=run)
    for parser in (show, accept):
        parser.add_argument("name", help="the tool's")
    accept.add_argument("--yes", action="store_true", help="do not ask")


def run_tools(parsed: argparse.Namespace) -> int:
    """Run a subcommand; returns the exit status."""
    run: Callable[[argparse.Namespace], int] = parsed.run
    try:
        return run(parsed)
    except (UnsoundPolicy, Unusable, NotWritable) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _list(parsed: argparse.Namespace) -> int:
    policy, seen = _policy(parsed), _seen(parsed)
    states = {tool: state_of(policy.operations[name], seen.get(tool)) for tool, name in policy.tools.items()}
    for tool, state in states.items():
        shown = seen[tool].sha256 if tool in seen else "-"
        sys.stdout.write(f"{tool:<24} {state:<11} {policy.tools[tool]:<28} {shown}\n")
    for tool in sorted(seen.keys() - states.keys()):
        sys.stdout.write(f"{tool:<24} no operation                             {seen[tool].sha256}\n")
    return 0 if all(state == "accepted" for state in states.values()) else 1


def _show(parsed: argparse.Namespace) -> int:
    policy, definition = _policy(parsed), _definition(parsed)
    sys.stdout.write(f"{definition.name}  {definition.sha256}\n")
    name = policy.tools.get(definition.name)
    pin = policy.operations[name].tool_sha256 if name else None
    accepted = ToolStore(Settings().data_dir / TOOLS).with_hash(pin) if pin else None
    if pin == definition.sha256:
        sys.stdout.write(f"accepted for {name}\n")
    elif pin is not None:
        sys.stdout.write(f"not the one that is accepted for {name}: {pin}\n")
        if accepted is None:
            sys.stdout.write("that one was never seen here, so there is nothing to compare with\n")
    else:
        sys.stdout.write(f"accepted for no operation{f'; {name} has the tool' if name else ''}\n")
    if definition.fault:
        sys.stdout.write(f"cannot be called: {definition.fault}\n")
    before = _lines(accepted) if accepted is not None and pin != definition.sha256 else None
    shown = _lines(definition) if before is None else _difference(before, _lines(definition))
    sys.stdout.writelines(f"{line}\n" for line in shown)
    return 0


def _accept(parsed: argparse.Namespace) -> int:
    policy, definition = _policy(parsed), _definition(parsed)
    if definition.fault:
        raise Unusable(f"{definition.name} cannot be accepted: {definition.fault}")
    name = policy.tools.get(definition.name)
    if name is not None and policy.operations[name].tool_sha256 == definition.sha256:
        sys.stdout.write(f"{definition.name} is accepted already\n")
        return 0
    _show(parsed)
    if not parsed.yes:
        sys.stdout.write("Does the definition ask for nothing that the tool should not do? Accept it? [y/N] ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            sys.stdout.write("nothing was changed\n")
            return 1
    write_pin(_path(parsed), definition.name, definition.sha256)
    sys.stdout.write(f"{_path(parsed)}: {definition.name} is accepted: {definition.sha256}\n")
    return 0


def _path(parsed: argparse.Namespace) -> Path:
    path: Path = parsed.policy or Settings().policy_file
    return path


def _policy(parsed: argparse.Namespace) -> Policy:
    return read_policy(_path(parsed))


def _seen(parsed: argparse.Namespace) -> dict[str, ToolDefinition]:
    if parsed.definitions is None:
        return ToolStore(Settings().data_dir / TOOLS).last_seen()
    try:
        document = json.loads(parsed.definitions.read_text("utf-8"))
        listed = document["tools"] if isinstance(document, dict) else document
        found = [ToolDefinition.of(one) for one in listed]
    except (OSError, ValueError, KeyError, TypeError, NoDefinition) as error:
        raise Unusable(f"{parsed.definitions}: is no list of tools in JSON that can be read") from error
    return {one.name: one for one in found}


def _definition(parsed: argparse.Namespace) -> ToolDefinition:
    seen = _seen(parsed)
    if parsed.name not in seen:
        where = parsed.definitions or Settings().data_dir / TOOLS
        raise Unusable(
            f"there is no definition of {parsed.name} in {where}: call it once, or name --definitions"
        )
    return seen[parsed.name]


def _lines(definition: ToolDefinition) -> list[str]:
    # Escaped, so that no character of a definition is invisible or moves the cursor.
    return json.dumps(definition.document, indent=2, sort_keys=True).splitlines()


def _difference(before: list[str], after: list[str]) -> Iterator[str]:
    return difflib.unified_diff(before, after, "accepted", "seen", lineterm="", n=len(after))
