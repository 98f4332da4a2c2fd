"""A secret in a service's data folder: made once, readable by its owner only."""

import os
import tempfile
from pathlib import Path


def write_once(path: Path, secret: bytes) -> None:
    """Write the file with mode 0600, whole or not at all, unless it is there: then the first one stays.

    Of several processes that start at the same time, all read what one of them has written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # mkstemp makes the file with mode 0600; the link puts it in place at once and never overwrites.
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(descriptor)
        path.hardlink_to(name)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()
