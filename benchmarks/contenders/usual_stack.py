"""The usual exchange, the usual gateway and the usual API, one behind the other."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.chain import Stack
from benchmarks.contenders import usual_api, usual_exchange, usual_gateway
from benchmarks.cores import CONTENDER
from benchmarks.exchange_contender import ExchangePlace, exchanges
from benchmarks.gateway_contender import Place, operations
from tests.issuer import CUSTOMER


@contextmanager
def usual_stack(folder: Path) -> Iterator[Stack]:
    """Run them until the end of the block."""
    with ExitStack() as ending:
        party = ending.enter_context(exchanges([CUSTOMER]))
        issuer = party.issuer.issuer
        exchange = ending.enter_context(usual_exchange.USUAL.start(ExchangePlace(party, folder, CONTENDER)))
        url = f"http://127.0.0.1:{exchange.port}"
        told = {"ISSUER": issuer, "JWKS_URI": f"{url}/jwks"}
        api = ending.enter_context(usual_api.serving(folder, CONTENDER, told))
        place = Place(issuer, url, api.port, folder, operations(), CONTENDER)
        gateway = ending.enter_context(usual_gateway.USUAL.start(place))
        path = f"/accounts/{usual_api.ACCOUNT}/balance"
        yield Stack(party, exchange, gateway, path, (exchange.pid, api.pid, gateway.pid))
