"""Turns an image's root file system into one that can run Python services and install nothing.

Runs inside the build of each image, on any base image that has Python, with the standard library alone.
"""

import os
import shutil
from itertools import chain
from pathlib import Path
from typing import Final

USER_ID: Final = 10001

_INSTALLERS: Final = (
    # pip, and the copies of it that `python -m ensurepip` and `python -m venv` would unpack
    "usr/bin/pip*",
    "usr/local/bin/pip*",
    "usr/lib/python3*/ensurepip",
    "usr/local/lib/python3*/ensurepip",
    "usr/share/python-wheels",
    *(
        f"{packages}/{name}*"
        for packages in ("usr/lib/python3/dist-packages", "usr/local/lib/python3*/*-packages")
        for name in ("_distutils_hack", "distutils-precedence", "pip", "pkg_resources", "setuptools", "wheel")
    ),
    # apt and dpkg; /var/lib/dpkg/status stays, because scanners read from it what the image contains
    "etc/apt",
    "usr/bin/apt*",
    "usr/*bin/dpkg*",
    "usr/lib/apt",
    "usr/lib/dpkg",
    "usr/lib/*/libapt-*",
    "usr/share/dpkg",
    "var/cache/*",
    "var/lib/apt",
    "var/lib/dpkg/info",
    # what only people read
    "usr/share/doc",
    "usr/share/man",
)
_COMMANDS: Final = ("apk", "apt", "apt-get", "dnf", "dpkg", "pip", "pip3", "yum")


def remove_installers(root: Path) -> None:
    """Delete package installers below `root`.

    Raises:
        SystemExit: one is left all the same, so the base image is of a kind not known here.
    """
    for path in chain.from_iterable(root.glob(pattern) for pattern in _INSTALLERS):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    left = [name for name in _COMMANDS if shutil.which(name)]
    if left:
        raise SystemExit(f"still in the image: {', '.join(left)}; teach deploy/image_root.py to remove it")


def make_data_folder(path: Path) -> None:
    """Make the one folder that the service's user may write to; a new volume takes over owner and mode."""
    path.mkdir(mode=0o700)
    os.chown(path, USER_ID, USER_ID)


if __name__ == "__main__":
    remove_installers(Path("/"))
    make_data_folder(Path("/data"))
