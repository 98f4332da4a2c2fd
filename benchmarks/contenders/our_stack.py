"""Authorization server, gateway and account API of this repository, with the settings of `make demo`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.chain import Stack
from benchmarks.contenders import our_auth_server
from benchmarks.cores import CONTENDER
from benchmarks.exchange_contender import ExchangePlace, exchanges
from benchmarks.gateway_contender import Running
from benchmarks.service import running_service
from delegation.healthcheck import unreadiness
from deploy.local_settings import SERVICES, settings
from tests.free_ports import free_ports
from tests.issuer import CUSTOMER
from tests.stack.waiting import until


@contextmanager
def our_stack(folder: Path) -> Iterator[Stack]:
    """Run them until the end of the block, with their data below `folder`."""
    port = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    told = settings(port)
    place = {service: folder / service for service in ("auth_server", "account_api", "gateway")}
    with ExitStack() as ending:
        party = ending.enter_context(exchanges([CUSTOMER], told["auth_server"]["ISSUER"]))
        for own in place.values():
            own.mkdir()
        auth_server = ending.enter_context(
            our_auth_server.serving(
                ExchangePlace(party, place["auth_server"], CONTENDER),
                told["auth_server"],
                port["auth_server"],
            )
        )
        pids = [auth_server.pid]
        for service in ("account_api", "gateway"):
            pids.append(
                ending.enter_context(
                    running_service(service, place[service], port[service], CONTENDER, told[service])
                )
            )
            until(partial(_is_ready, port[service]), f"{service} is ready")
        gateway = Running(port["gateway"], pids[-1])
        yield Stack(party, auth_server, gateway, "/accounts/4001-01/balance", tuple(pids))


def _is_ready(port: int) -> bool:
    return unreadiness(port) is None
