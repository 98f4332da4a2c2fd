"""The running stack as a target of the conformance suite: `python -m tests.stack.conformance [--only …]`."""

import os
import sys

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.__main__ import main
from tests.e2e.in_process import TARGET_FILE
from tests.stack.choosing import chosen_stack
from tests.stack.stack import NoStack, Stack


def environment_of(stack: Stack) -> dict[str, str]:
    """Return the variables that our target file asks for; the clients' keys are taken out of the services."""
    addresses = stack.deployment
    keys = {
        f"{name}_KEY": stack.client_key(service).private_key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        for name, service in (("APP", "banking_app"), ("AGENT", "chatbot"))
    }
    return {
        "AUTH_SERVER_URL": addresses.issuer,
        "GATEWAY_URL": addresses.gateway,
        "BANKING_APP_URL": addresses.banking_app,
        "CUSTOMER_PASSWORD": addresses.password,
        "PYTHON": sys.executable,
        **{name: pem.decode() for name, pem in keys.items()},
    }


def _judge_running_stack() -> int:
    try:
        with chosen_stack() as stack:
            environment = os.environ | environment_of(stack)
            return main(["--target", str(TARGET_FILE), *sys.argv[1:]], environment)
    except NoStack as error:
        sys.stderr.write(f"conformance: {error}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(_judge_running_stack())
