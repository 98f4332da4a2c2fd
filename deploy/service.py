"""`python -m deploy.service gateway 8503`: one service, until it is told to end or its parent is gone.

Standard input must be a pipe whose other end only the parent holds: its end-of-file is how a process notices,
on any Unix, that the parent has died without a word.
"""

import os
import signal
import sys
import threading
import time

import uvicorn

from delegation.http_protocol import HttpProtocol

_GRACE_SECONDS = 5


def _end_with_parent() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


def main(service: str, port: int) -> None:
    """Serve `<service>.app:create_app` as its image does, but only to this machine."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    uvicorn.run(
        f"{service}.app:create_app",
        factory=True,
        host="127.0.0.1",
        port=port,
        http=HttpProtocol,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
