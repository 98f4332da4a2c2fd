"""The keys that sign tokens: kept over restarts, rotated with an overlap."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from delegation.clock import Clock, utc_now
from delegation.signing_key import SigningKey

LONGEST_TOKEN_LIFE: Final = timedelta(minutes=15)
"""No token lives longer, so this long after its last signature a key is needed by nobody."""
_UNSETTLED_NS: Final = 2 * 10**9
"""Coarser than any file system's clock."""


@dataclass(frozen=True, slots=True)
class _Published:
    """The published keys by `kid`, the one that signs last, as the folder had them when it last changed.

    The time of the oldest ends at `until`; None while there is one alone.
    """

    keys: dict[str, SigningKey]
    changed_ns: int
    until: datetime | None


class SigningKeys:
    """The key pairs in one folder, one PEM file each, named for the microsecond at which it was made.

    The newest signs. An older one is published until the last token that it signed has expired, and its file
    goes then. Another process may rotate: the folder is looked at each time, and read when it has changed.
    """

    def __init__(self, folder: Path, clock: Clock = utc_now) -> None:
        self._folder = folder
        self._clock = clock
        self._loaded: dict[str, SigningKey] = {}
        self._known: _Published | None = None
        if not self._files():
            self.rotate()

    def current(self) -> SigningKey:
        """Return the key that signs."""
        return next(reversed(self._published().values()))

    def published(self) -> list[SigningKey]:
        """Return the keys that verify, the current one last."""
        return list(self._published().values())

    def find(self, kid: str) -> SigningKey | None:
        """Return the published key with this id."""
        return self._published().get(kid)

    def rotate(self) -> SigningKey:
        """Make a new key pair, which signs from now on, and remove those whose time is over."""
        key = SigningKey.generate()
        key.save(self._folder / f"{int(self._clock().timestamp() * 1e6):020d}.pem")
        files = self._files()
        for expired in set(files) - set(self._unexpired(files)):
            expired.unlink(missing_ok=True)
        return key

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.pem"))

    def _unexpired(self, files: list[Path]) -> list[Path]:
        """Leave out each file whose successor has been signing for longer than any token lives."""
        now = self._clock()
        ends = [_made_at(successor) + LONGEST_TOKEN_LIFE for successor in files[1:]]
        return [file for file, end in zip(files, [*ends, None], strict=True) if end is None or now < end]

    def _published(self) -> dict[str, SigningKey]:
        """Return the keys by `kid`; the folder is listed anew when it has changed, or when a time ends.

        What changed within the last moments may change once more in the same tick of the file system's clock.
        """
        changed_ns = os.stat(self._folder).st_mtime_ns  # noqa: PTH116 - half the time, for each exchange
        known = self._known
        if (
            known is not None
            and known.changed_ns == changed_ns
            and (known.until is None or self._clock() < known.until)
        ):
            return known.keys
        files = self._unexpired(self._files())
        self._loaded = {f.name: self._loaded.get(f.name) or SigningKey.load(f) for f in files}
        keys = {key.kid: key for key in self._loaded.values()}
        until = _made_at(files[1]) + LONGEST_TOKEN_LIFE if len(files) > 1 else None
        is_settled = changed_ns < time.time_ns() - _UNSETTLED_NS
        self._known = _Published(keys, changed_ns, until) if is_settled else None
        return keys


def _made_at(file: Path) -> datetime:
    return datetime.fromtimestamp(int(file.stem) / 1e6, UTC)
