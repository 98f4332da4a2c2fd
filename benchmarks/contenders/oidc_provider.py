"""oidc-provider as docs/conformance pins it, with a token exchange grant: oidc_provider.js."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.cores import on
from benchmarks.exchange_contender import AuthorizationServer, ExchangePlace
from benchmarks.gateway_contender import Running
from benchmarks.load import program
from docs.conformance.foreign import node_modules, serving
from docs.conformance.oidc_provider.start import FOLDER
from tests.free_ports import free_ports
from tests.issuer import ACCOUNT_API, AGENT

_SERVER: Final = Path(__file__).with_suffix(".js")


@contextmanager
def _start(place: ExchangePlace) -> Iterator[Running]:
    node = program("node", "nodejs")
    node_modules(FOLDER)
    [port] = free_ports(1)
    # Node looks for packages beside the program.
    (place.folder / "node_modules").symlink_to(FOLDER / "node_modules")
    server = shutil.copy(_SERVER, place.folder / "server.mjs")
    exchanges = place.exchanges
    settings = {
        "NODE_ENV": "production",
        "PORT": str(port),
        "ISSUER": exchanges.issuer.issuer,
        "SIGNING_KEY": json.dumps(
            exchanges.issuer.key.as_joserfc().as_dict(private=True) | {"use": "sig", "alg": "ES256"}
        ),
        "AGENT": AGENT,
        "AGENT_JWK": json.dumps(exchanges.agent.public_jwk),
        "RESOURCE": ACCOUNT_API,
    }
    with serving([*on(place.cores), node, server], place.folder, port, settings) as pid:
        yield Running(port, pid)


OIDC_PROVIDER = AuthorizationServer("oidc-provider, in memory", _start)
