"""`python -m delegation.healthcheck 8503`: is the service on this port ready? Images have no curl."""

import sys
from http.client import HTTPConnection, HTTPException

_TIMEOUT_SECONDS = 3.0


def unreadiness(port: int) -> str | None:
    """Return None when `GET /readyz` says that the service can do its work, else what it lacks."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        body = response.read(4096).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return f"no answer on port {port}: {error}"
    finally:
        connection.close()
    return None if response.status == 200 else body


if __name__ == "__main__":
    sys.exit(unreadiness(int(sys.argv[1])))
