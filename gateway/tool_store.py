"""Each tool definition that was seen, kept for whoever must accept it: `DATA_DIR/tools/<sha256>.json`."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.tool_definition import NoDefinition, ToolDefinition

_MOST: Final = 500
"""Files at most: a server that changes its tools at every look must not fill the disk."""
_log = logging.getLogger(__name__)


class ToolStore:
    """The folder of definitions. The last one seen of a tool is the one whose file is the youngest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, definition: ToolDefinition) -> None:
        """Keep a definition as the last one seen of its tool; a folder that cannot be written is told."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._folder / f"{definition.sha256}.json"
            if not file.exists():
                for old in sorted(self._folder.glob("*.json"), key=_age, reverse=True)[_MOST - 1 :]:
                    old.unlink(missing_ok=True)
            written = file.with_suffix(".new")
            written.write_text(json.dumps(definition.document, indent=2, ensure_ascii=False), "utf-8")
            written.replace(file)
        except (OSError, UnicodeEncodeError) as error:
            _log.warning("tool definition %s cannot be kept: %s", definition.sha256, type(error).__name__)

    def last_seen(self) -> dict[str, ToolDefinition]:
        """Return the last definition seen of each tool, by name."""
        return {one.name: one for one in self._kept()}

    def with_hash(self, sha256: str) -> ToolDefinition | None:
        """Return the definition that has this hash, if it was ever seen."""
        return next((one for one in self._kept() if one.sha256 == sha256), None)

    def _kept(self) -> Iterator[ToolDefinition]:
        for file in sorted(self._folder.glob("*.json"), key=_age):
            try:
                definition = ToolDefinition.of(json.loads(file.read_text("utf-8")))
            except (OSError, ValueError, NoDefinition):
                continue
            if definition.sha256 == file.stem:  # what was written by hand is no definition that was seen
                yield definition


def _age(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
