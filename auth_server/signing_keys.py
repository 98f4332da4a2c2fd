"""The keys that sign tokens: kept over restarts, rotated with an overlap."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from delegation.clock import Clock, utc_now
from delegation.signing_key import SigningKey

LONGEST_TOKEN_LIFE: Final = timedelta(minutes=15)
"""No token lives longer, so this long after its last signature a key is needed by nobody."""
_UNSETTLED_NS: Final = 2 * 10**9
"""Coarser than any file system's clock."""


class SigningKeys:
    """The key pairs in one folder, one PEM file each, named for the microsecond at which it was made.

    The newest signs. An older one is published until the last token that it signed has expired, and its file
    goes then. Another process may rotate: the folder is looked at each time, and read when it has changed.
    """

    def __init__(self, folder: Path, clock: Clock = utc_now) -> None:
        self._folder = folder
        self._clock = clock
        self._loaded: dict[str, SigningKey] = {}
        self._listed: tuple[int, list[Path]] | None = None
        if not self._files():
            self.rotate()

    def current(self) -> SigningKey:
        """Return the key that signs."""
        return self._published()[-1]

    def published(self) -> list[SigningKey]:
        """Return the keys that verify, the current one last."""
        return self._published()

    def find(self, kid: str) -> SigningKey | None:
        """Return the published key with this id."""
        return next((key for key in self._published() if key.kid == kid), None)

    def rotate(self) -> SigningKey:
        """Make a new key pair, which signs from now on, and remove those whose time is over."""
        key = SigningKey.generate()
        key.save(self._folder / f"{int(self._clock().timestamp() * 1e6):020d}.pem")
        for expired in set(self._files()) - set(self._current_files()):
            expired.unlink(missing_ok=True)
        return key

    def _files(self) -> list[Path]:
        """Return the files in their order, listed again when the folder has changed.

        What changed within the last moments may change once more in the same tick of the file system's clock.
        """
        try:
            changed = self._folder.stat().st_mtime_ns
        except FileNotFoundError:  # before the first key
            return []
        if self._listed is None or self._listed[0] != changed:
            files = sorted(self._folder.glob("*.pem"))
            self._listed = (changed, files) if changed < time.time_ns() - _UNSETTLED_NS else None
            return files
        return self._listed[1]

    def _current_files(self) -> list[Path]:
        """Leave out each file whose successor has been signing for longer than any token lives."""
        files = self._files()
        oldest = self._clock() - LONGEST_TOKEN_LIFE
        return [
            file
            for file, successor in zip(files, [*files[1:], None], strict=True)
            if successor is None or datetime.fromtimestamp(int(successor.stem) / 1e6, UTC) > oldest
        ]

    def _published(self) -> list[SigningKey]:
        files = self._current_files()
        self._loaded = {f.name: self._loaded.get(f.name) or SigningKey.load(f) for f in files}
        return list(self._loaded.values())
