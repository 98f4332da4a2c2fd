"""The browser of these tests does not hear of the interfaces that containers bring and take."""

import subprocess
import sys

import pytest

from tests.stack import deaf_to_interfaces

OPEN = """
import socket
for family, protocol in ((socket.AF_NETLINK, 0), (socket.AF_NETLINK, 15), (socket.AF_INET, 0)):
    try:
        socket.socket(family, socket.SOCK_RAW if protocol else socket.SOCK_DGRAM, protocol).close()
        print("opened")
    except OSError as error:
        print(error.strerror)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere containers change no interface here")
def test_a_routing_socket_is_refused_and_any_other_is_not() -> None:
    command = [sys.executable, deaf_to_interfaces.__file__, sys.executable, "-c", OPEN]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["Address family not supported by protocol", "opened", "opened"]
