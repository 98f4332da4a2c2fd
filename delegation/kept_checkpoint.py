"""Checkpoints that were kept elsewhere: whoever has the database cannot remove those."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from jwt import PyJWK

from delegation.record_chain import Head
from delegation.record_checkpoint import BadCheckpoint, UnknownCheckpointKey, signed_head

_STANDARD_INPUT: Final = "-"


class BadKept(Exception):
    """What was given is no checkpoint of this service; the text says what to do."""


def kept_heads(files: Sequence[str], keys: Mapping[str, PyJWK], service: str) -> list[Head]:
    """Return the heads that were signed in these files, one checkpoint (a compact JWS) a line; `-` is stdin.

    Raises:
        BadKept: a file cannot be read, or holds anything but checkpoints of this service by these keys.
    """
    return [head for file in files for head in _heads_in(file, keys, service)]


def _heads_in(file: str, keys: Mapping[str, PyJWK], service: str) -> list[Head]:
    name = "standard input" if file == _STANDARD_INPUT else file
    try:
        text = sys.stdin.read() if file == _STANDARD_INPUT else Path(file).read_text(encoding="ascii")
        heads = [signed_head(line, keys, service)[0] for line in text.split()]
    except (OSError, ValueError) as error:
        raise BadKept(f"no checkpoint can be read from {name} ({type(error).__name__})") from error
    except UnknownCheckpointKey as error:
        raise BadKept(f"the key of a checkpoint in {name} is not known: give it by --jwks") from error
    except BadCheckpoint as error:
        raise BadKept(f"{name} has no checkpoint of {service}: {error}") from error
    if not heads:
        raise BadKept(f"there is no checkpoint in {name}: give what audit checkpoints printed")
    return heads
