"""The hash of an accepted tool definition, written into the policy file where a person would write it."""

import os
import re
import tempfile
from pathlib import Path
from typing import Final

import yaml

from gateway.policy_file import UnsoundPolicy, read_policy

_PIN: Final = re.compile(r"tool_sha256:[ \t]*\S*")


class NotWritable(Exception):
    """The policy file cannot be changed here; the text says what a person has to write, and where."""


def pinned_text(text: str, tool: str, sha256: str) -> tuple[str, int]:
    """Return a sound policy's text with the hash beside a tool, and the line of it; all else stays as it is.

    Raises:
        NotWritable: no operation has the tool on a line of its own.
    """
    root = yaml.compose(text, Loader=yaml.BaseLoader)
    operations = _value(root, "operations") if root else None
    for _, operation in operations.value if isinstance(operations, yaml.MappingNode) else ():
        named = _value(operation, "tool")
        if named is None or named.value != tool:
            continue
        lines = text.splitlines(keepends=True)
        pin = _value(operation, "tool_sha256")
        line = (named if pin is None else pin).start_mark.line
        if operation.flow_style:
            reason = f"write `tool_sha256: {sha256}` beside the tool: braces are not changed here"
            raise NotWritable(f"line {line + 1}: {reason}")
        if pin is None:
            indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
            lines[line] = lines[line].rstrip("\r\n") + "\n"
            lines.insert(line + 1, f"{indent}tool_sha256: {sha256}\n")
            return "".join(lines), line + 2
        lines[line] = _PIN.sub(f"tool_sha256: {sha256}", lines[line], count=1)
        return "".join(lines), line + 1
    raise NotWritable(f"no operation has the tool {tool}: give one `tool: {tool}`, and say who may do it")


def write_pin(policy_file: Path, tool: str, sha256: str) -> None:
    """Write the hash into the file: the whole of the new file takes the place of the whole of the old.

    Raises:
        NotWritable: the file cannot be written, or would not be a sound policy with the hash in it.
    """
    text, line = pinned_text(policy_file.read_text("utf-8"), tool, sha256)
    by_hand = f"{policy_file}:{line}: write `tool_sha256: {sha256}` beside `tool: {tool}`"
    target = policy_file.resolve()
    try:
        if not os.access(target, os.W_OK):
            raise PermissionError
        descriptor, name = tempfile.mkstemp(".yaml", ".policy-", target.parent)
        written = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            written.chmod(target.stat().st_mode)
            policy = read_policy(written)
            if policy.operations[policy.tools[tool]].tool_sha256 != sha256:
                raise NotWritable(by_hand)
            written.replace(target)
        finally:
            written.unlink(missing_ok=True)
    except OSError as error:
        raise NotWritable(f"{by_hand}: the file cannot be written here") from error
    except UnsoundPolicy as error:
        raise NotWritable(f"{by_hand}: the policy would not be sound") from error


def _value(node: yaml.Node, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)
