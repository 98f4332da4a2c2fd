"""Run a program that never hears of a network interface that comes, goes or changes its address.

Every start and end of a container changes interfaces of this machine. Chromium listens for that, and then
fails each request that waits for a connection with ERR_NETWORK_CHANGED, also those to this machine itself;
no switch turns it off. Where it cannot listen it assumes that nothing changes, and so the kernel is told to
refuse it: a filter on system calls (`man 2 seccomp`) lets no routing socket (`man 7 rtnetlink`) be opened by
this process and those that it starts. It takes no privilege, and the network itself stays as it is.

Usage: deaf_to_interfaces.py program [argument ...]
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys
from typing import Final

_AUDIT_NAME_AND_SOCKET_CALL: Final = {"x86_64": (0xC000_003E, 41), "aarch64": (0xC000_00B7, 198)}
"""How the kernel names a machine (linux/audit.h), and the number of the call `socket` there."""
_NETLINK_ROUTE: Final = 0

# linux/filter.h: load a word of the call's description, skip so many lines unless it equals, answer.
_LOAD, _UNLESS_EQUAL, _ANSWER = 0x20, 0x15, 0x06
_ALLOW, _FAIL_WITH = 0x7FFF_0000, 0x0005_0000
# linux/seccomp.h: where in a call's description stand its number, the machine, its first and third argument.
_CALL, _MACHINE, _FAMILY, _PROTOCOL = 0, 4, 16, 32

_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("lines", ctypes.c_ushort), ("first", ctypes.c_void_p))


def hear_of_no_interface() -> None:
    """Refuse routing sockets to this process and its children from now on, on a kernel that is known here.

    Raises:
        OSError: the kernel takes no filter.
    """
    known = _AUDIT_NAME_AND_SOCKET_CALL.get(platform.machine()) if sys.platform == "linux" else None
    if known is None:
        return
    machine, socket_call = known
    lines = [
        *((_LOAD, 0, _MACHINE), (_UNLESS_EQUAL, 7, machine)),
        *((_LOAD, 0, _CALL), (_UNLESS_EQUAL, 5, socket_call)),
        *((_LOAD, 0, _FAMILY), (_UNLESS_EQUAL, 3, int(socket.AF_NETLINK))),
        *((_LOAD, 0, _PROTOCOL), (_UNLESS_EQUAL, 1, _NETLINK_ROUTE)),
        (_ANSWER, 0, _FAIL_WITH | errno.EAFNOSUPPORT),
        (_ANSWER, 0, _ALLOW),
    ]
    encoded = ctypes.create_string_buffer(
        b"".join(struct.pack("=HBBI", op, 0, skip, k) for op, skip, k in lines)
    )
    program = _Program(len(lines), ctypes.addressof(encoded))
    _control(_SET_NO_NEW_PRIVILEGES, 1, None)
    _control(_SET_SECCOMP, _FILTER, ctypes.byref(program))


def _control(option: int, value: int, argument: object) -> None:
    c = ctypes.CDLL(None, use_errno=True)
    if c.prctl(option, ctypes.c_ulong(value), argument, ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    hear_of_no_interface()
    os.execv(sys.argv[1], sys.argv[1:])
