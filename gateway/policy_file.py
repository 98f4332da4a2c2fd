"""The policy file: refused with the line of everything that is wrong, kept once it is sound."""

import asyncio
import hashlib
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.policy import Operation, Policy, contested_routes, contested_tools
from gateway.policy_review import unknown_scopes
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
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping, `key: value`",
    "mapping_type": "must be a mapping, `key: value`",
    "model_type": "must be a mapping, `key: value`",
}


class UnsoundPolicy(Exception):
    """A policy that cannot be enforced. Its text has a line `file:line: what is wrong` for each fault."""

    def __init__(self, file: Path, faults: list[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(f"{file}:{fault.line}: {fault.message}" for fault in self.faults))


class PolicyFile:
    """The policy in force, and the file that it comes from, which may change at any time.

    A changed file comes into force whole or not at all. Whoever decides takes `current` once and decides by
    that alone.
    """

    def __init__(self, path: Path, kept: Path | None = None) -> None:
        """`kept` is a folder in which each policy that comes into force is kept, as `version.yaml`."""
        self._path = path
        self._kept = kept
        self._policy: Policy | None = None
        self._refused: UnsoundPolicy | None = None
        self._read_version: _FileVersion = None
        self._seen_version: _FileVersion = None
        self._read(_version(path))

    def current(self) -> Policy:
        """Return the policy in force.

        Raises:
            UnsoundPolicy: there is none, and nothing may be allowed.
        """
        if self._policy is None:
            raise self._refused or UnsoundPolicy(self._path, [Fault(1, "changed while it was read")])
        return self._policy

    @property
    def refused(self) -> UnsoundPolicy | None:
        """Return what is wrong with the file as it is now, while an older policy stays in force."""
        return self._refused

    def look(self) -> None:
        """Look whether the file has changed, and take it if it has and was the same at the last look.

        So a file that is just being written is not read: the half of a policy may be a sound one.
        """
        version = _version(self._path)
        if version != self._read_version and version == self._seen_version:
            self._read(version)
        self._seen_version = version

    async def watch(self, every_seconds: float) -> None:
        """Look again and again, until cancelled; a file is read and compiled beside the event loop."""
        while True:
            await asyncio.sleep(every_seconds)
            await asyncio.to_thread(self.look)

    def _read(self, version: "_FileVersion") -> None:
        policy, refused = None, None
        try:
            policy = read_policy(self._path)
        except UnsoundPolicy as error:
            refused = error
        if _version(self._path) != version:
            return  # what was read may be the half of a policy; the next look finds the change
        self._read_version, self._refused = version, refused
        if policy is None:
            stays = (
                f"Policy {self._policy.version} stays in force" if self._policy else "Every call is refused"
            )
            _log.error("%s until the policy is sound:\n%s", stays, refused)
            return
        if self._kept is not None:
            _keep(policy, self._path, self._kept)
        self._policy = policy
        _log.info("policy %s is in force", policy.version)


_FileVersion = tuple[int, int, int, int] | None


def _keep(policy: Policy, path: Path, folder: Path) -> None:
    """Keep a policy's text, so that what it decided can be explained when there is another."""
    try:
        text = path.read_bytes()
        file = folder / f"{policy.version}.yaml"
        if hashlib.sha256(text).hexdigest() == policy.version and not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            # Under its name there is the whole of it or nothing, whenever we are ended.
            unfinished = file.with_suffix(f".{os.getpid()}.unfinished")
            unfinished.write_bytes(text)
            unfinished.replace(file)
    except OSError as error:
        _log.warning("policy %s cannot be kept in %s: %s", policy.version, folder, error.strerror)


def read_policy(path: Path) -> Policy:
    """Read and check a policy file.

    Raises:
        UnsoundPolicy: the file cannot be read, or has faults: all of them, each with its line.
    """
    return reviewed_policy(path)[0]


def reviewed_policy(path: Path) -> tuple[Policy, YamlDocument]:
    """Read and check a policy file, and return it with the lines that everything stands on.

    Raises:
        UnsoundPolicy: as for `read_policy`.
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
    return _checked(document, path, hashlib.sha256(text).hexdigest()), document


def _checked(document: YamlDocument, path: Path, version: str) -> Policy:
    faults = [*document.faults]
    policy = None
    try:
        policy = Policy.of_file(document.value, version)
    except ValidationError as error:
        faults += [Fault(document.line(_location(one)), _message(one)) for one in error.errors()]
    faults += unknown_scopes(policy, document)
    operations = _sound_operations(document.value)
    for key, contested in (("path", contested_routes(operations)), ("tool", contested_tools(operations))):
        for name, reason in contested:
            line = document.line(("operations", name, key))
            faults.append(Fault(line, f"operations.{name}.{key}: {reason}"))
    if policy is None or faults:
        raise UnsoundPolicy(path, faults)
    return policy


def _version(path: Path) -> _FileVersion:
    with suppress(OSError):
        found = path.stat()
        # The time of a file's last change can be set, as copying tools do; that of its status cannot.
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
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
