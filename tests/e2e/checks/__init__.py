"""Every check, a module for each part of the protocol; importing this package registers them all."""

import importlib
from pathlib import Path

for _file in Path(__file__).parent.glob("[!_]*.py"):
    importlib.import_module(f"{__name__}.{_file.stem}")
