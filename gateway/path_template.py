"""Paths, as a policy writes them and as they arrive: one reading each, compared segment by segment."""

import re
from dataclasses import dataclass
from typing import Final, Self

# pchar of RFC 3986 §3.3 without "%" and ";": percent-encoding gives one path several spellings, and some
# servers cut a segment at ";". What is left means the same to every server.
SEGMENT: Final = r"[A-Za-z0-9\-._~!$&'()*+,=:@]+"
_PATH: Final = re.compile(rf"(?:/{SEGMENT})*/?\Z")
_TEMPLATE: Final = re.compile(rf"(?:/(?:{SEGMENT}|{{[a-z][a-z0-9_]*}}))+\Z")
_DOT_SEGMENTS: Final = frozenset({".", ".."})


class UnsafePath(ValueError):
    """A path that two servers could read differently."""


def path_segments(raw_path: bytes) -> tuple[str, ...]:
    """Split a path as it stood in the request line; a final slash makes a last, empty segment.

    Raises:
        UnsafePath: it has percent-encoding, `;`, a backslash, an empty or dot segment, or is not ASCII.
    """
    path = raw_path.decode("latin-1")
    segments = tuple(path.split("/")[1:])
    if not path.startswith("/") or not _PATH.match(path) or not _DOT_SEGMENTS.isdisjoint(segments):
        raise UnsafePath("The path could be read in more than one way.")
    return segments


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A path whose `{name}` segments stand for exactly one non-empty segment each."""

    segments: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a template like `/accounts/{account_id}/balance`.

        Raises:
            ValueError: it could never match a path that the gateway lets through, or repeats a parameter.
        """
        segments = tuple(text.split("/")[1:])
        if not _TEMPLATE.match(text) or not _DOT_SEGMENTS.isdisjoint(segments):
            raise ValueError("must be like /accounts/{account_id}: plain segments or one {parameter} each")
        parameters = [segment for segment in segments if is_parameter(segment)]
        if len(parameters) != len(set(parameters)):
            raise ValueError("names a parameter twice")
        return cls(segments)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the parameters' names, in order."""
        return tuple(segment[1:-1] for segment in self.segments if is_parameter(segment))

    def overlaps(self, other: "PathTemplate") -> bool:
        """Tell whether some path matches both."""
        return len(self.segments) == len(other.segments) and all(
            one == two or is_parameter(one) or is_parameter(two)
            for one, two in zip(self.segments, other.segments, strict=True)
        )

    def __str__(self) -> str:
        return "".join(f"/{segment}" for segment in self.segments)


def is_parameter(segment: str) -> bool:
    """Tell whether a template's segment is a `{parameter}`."""
    return segment.startswith("{")
