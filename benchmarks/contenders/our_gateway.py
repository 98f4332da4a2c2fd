"""The gateway of this repository with its defaults, but for addresses, policy and the length of bodies."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import yaml

from benchmarks.gateway_contender import Gateway, Place, Running
from benchmarks.issuer import RECEIVER
from benchmarks.service import running_service
from tests.free_ports import free_ports
from tests.issuer import ACCOUNT_API


@contextmanager
def _start(place: Place, app: str = "gateway.app:create_app") -> Iterator[Running]:
    policy = place.folder / "policy.yaml"
    document = {"audience": ACCOUNT_API, "name": "Account API", "operations": place.operations}
    policy.write_text(yaml.safe_dump(document, sort_keys=False))
    settings = {
        "ISSUER": place.issuer,
        "JWKS_URI": f"{place.issuer_url}/jwks",
        "TOKEN_ENDPOINT": f"{place.issuer_url}/token",
        "SECURITY_EVENTS_ENDPOINT": f"{place.issuer_url}/events",
        "CLIENT_ID": RECEIVER,
        "UPSTREAM_URL": f"http://127.0.0.1:{place.upstream_port}",
        "POLICY_FILE": str(policy),
        "MAX_BODY_BYTES": str(8 * 1024 * 1024),
    }
    [port] = free_ports(1)
    with running_service(
        "gateway", place.folder, port, place.cores, settings, workers=place.workers, app=app
    ) as pid:
        yield Running(port, pid)


OURS = Gateway("this gateway, everything on", _start, hears_of_ended_tokens=True, has_conditions=True)
_NOTHING_KEPT = "benchmarks.contenders.our_gateway_without_records:create_app"
WITHOUT_RECORDS = Gateway("this gateway, its records not kept", partial(_start, app=_NOTHING_KEPT))
