"""The policy file: refused with the line of everything that is wrong, kept once it is sound."""

import hashlib
import logging
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.policy import Operation, Policy, contested_routes
from gateway.yaml_lines import Fault, NotYaml, YamlDocument

_log = logging.getLogger(__name__)

# Pydantic speaks of inputs and frozensets; whoever edits the file sees keys, lists and text.
_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "is empty or has a character that may not stand here",
    "string_type": "must be text",
    "frozen_set_type": "must be a list",
    "mapping_type": "must be a mapping, `key: value`",
    "model_type": "must be a mapping, `key: value`",
}


class UnsoundPolicy(Exception):
    """A policy that cannot be enforced. Its text has a line `file:line: what is wrong` for each fault."""

    def __init__(self, file: Path, faults: list[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(f"{file}:{fault.line}: {fault.message}" for fault in self.faults))


class PolicyFile:
    """The policy in force. A file that is missing or not sound is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._policy: Policy | None = None
        self._error = UnsoundPolicy(path, [])
        self._version: tuple[int, int] | None = None
        self._read()

    def current(self) -> Policy:
        """Return the policy in force.

        Raises:
            UnsoundPolicy: there is none, and nothing may be allowed.
        """
        if self._policy is None and self._version != _version(self._path):
            self._read()
        if self._policy is None:
            raise self._error
        return self._policy

    def _read(self) -> None:
        self._version = _version(self._path)
        try:
            self._policy = read_policy(self._path)
        except UnsoundPolicy as error:
            self._error = error
            _log.error("Every call is refused until the policy is sound:\n%s", error)


def read_policy(path: Path) -> Policy:
    """Read and check a policy file.

    Raises:
        UnsoundPolicy: the file cannot be read, or has faults: all of them, each with its line.
    """
    try:
        text = path.read_bytes()
        document = YamlDocument.read(text.decode("utf-8"))
    except OSError as error:
        raise UnsoundPolicy(path, [Fault(1, f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise UnsoundPolicy(path, [Fault(1, "is not UTF-8 text")]) from error
    except NotYaml as error:
        raise UnsoundPolicy(path, [error.fault]) from error
    return _checked(document, path, hashlib.sha256(text).hexdigest())


def _checked(document: YamlDocument, path: Path, version: str) -> Policy:
    faults = list(document.faults)
    policy = None
    try:
        policy = Policy.of_file(document.value, version)
    except ValidationError as error:
        faults += [Fault(document.line(_location(one)), _message(one)) for one in error.errors()]
    for name, reason in contested_routes(_sound_operations(document.value)):
        faults.append(Fault(document.line(("operations", name, "path")), f"operations.{name}.path: {reason}"))
    if policy is None or faults:
        raise UnsoundPolicy(path, faults)
    return policy


def _version(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size
    return None


def _sound_operations(document: object) -> dict[str, Operation]:
    """Return the operations that are sound by themselves, so that their routes are compared in any case."""
    operations = document.get("operations") if isinstance(document, dict) else None
    found = {}
    for name, value in operations.items() if isinstance(operations, dict) else ():
        with suppress(ValidationError):
            found[name] = Operation.model_validate(value)
    return found


def _location(error: ErrorDetails) -> tuple[int | str, ...]:
    """Return where the fault is: some validators see a whole collection, and say which of it they mean."""
    # An alias of a field is its name in the file, and so is what Pydantic puts into the location.
    return error["loc"] + tuple(error.get("ctx", {}).get("at", ()))


def _message(error: ErrorDetails) -> str:
    location = _location(error)
    text = _WORDS.get(error["type"], error["msg"].removeprefix("Value error, "))
    if error["type"] in {"missing", "extra_forbidden"}:
        location, text = location[:-1], f"{location[-1]!r} {text}"
    place = ".".join(str(part) for part in location if part != "[key]")
    return f"{place}: {text}" if place else text
