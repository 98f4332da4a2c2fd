"""When it cannot be told whether a token is good, the answer is no."""

from typing import ClassVar


class Unverifiable(Exception):
    """Nothing can be verified now, so nothing may be allowed; `lack` names what cannot be had."""

    lack: ClassVar[str]
