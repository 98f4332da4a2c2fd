"""Gateways before the same resource, with the same tokens."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.backend import ANSWER_BYTES, backend
from benchmarks.contenders import envoy, our_gateway, usual_gateway
from benchmarks.cores import CONTENDER
from benchmarks.gateway_contender import BALANCE, Gateway, Operations, Place, Running, operations
from benchmarks.gateway_refusals import wrongly_passed
from benchmarks.issuer import Issuer
from benchmarks.load import write_requests
from benchmarks.rounds import Case, Run, interleaved
from benchmarks.section import Section

GATEWAYS: Final = (
    our_gateway.OURS,
    envoy.WITHOUT_CACHE,
    envoy.WITH_CACHE,
    envoy.WITH_ACCESS_LOG,
    usual_gateway.USUAL,
)
TOKENS: Final = 5_000
NO_GATEWAY: Final = "no gateway: the resource itself"


@dataclass
class Gateways:
    """The parties around the gateways, and the run that measures them."""

    run: Run
    issuer: Issuer
    upstream_port: int
    folder: Path

    @contextmanager
    def running(
        self,
        gateways: Sequence[Gateway],
        policy: Operations,
        *,
        cores: list[int] = CONTENDER,
        workers: int = 1,
    ) -> Iterator[dict[str, Running]]:
        """Start the gateways that are wanted, and give those that refuse what they must."""
        found = {}
        with ExitStack() as ending:
            for gateway in gateways:
                if not self.run.wants(gateway.name):
                    continue
                self.run.say(f"{gateway.name}: is started, and what it refuses is checked")
                place = Place(
                    self.issuer.issuer,
                    self.issuer.url,
                    self.upstream_port,
                    self.new_folder(),
                    policy,
                    cores,
                    workers,
                )
                one = ending.enter_context(gateway.start(place))
                if self.run.may_time(gateway.name, wrongly_passed(gateway, one, self.issuer)):
                    found[gateway.name] = one
            yield found

    def new_folder(self) -> Path:
        """Return a folder of its own, for whoever asks."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def fresh_requests(self, file: Path, tokens: int, path: str = BALANCE, body: bytes = b"") -> None:
        """Write requests to `file`, each with a new token: GET, or POST if there is a body."""
        framing = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        line = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}"
        write_requests(
            file,
            (
                f"{line}Authorization: Bearer {token}\r\n\r\n".encode() + body
                for token in self.issuer.balance_tokens(tokens)
            ),
        )


@contextmanager
def around(run: Run) -> Iterator[Gateways]:
    """Start the issuer and the resource."""
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        folder.chmod(0o755)  # nginx's worker is another user where it is started by root
        issuer = ending.enter_context(Issuer().serving())
        yield Gateways(run, issuer, ending.enter_context(backend(folder)), folder)


def comparison(run: Run) -> Section:
    """Compare the gateways at 1, 16 and 64 connections, with the resource itself beside them."""
    pace = run.pace
    with around(run) as party:
        file = party.folder / "tokens"
        party.fresh_requests(file, TOKENS)
        warm_up = Case("warm-up", file, 16, pace.warm_up_seconds)
        cases = [
            Case("16 connections", file, 16, pace.seconds),
            Case("64 connections", file, 64, pace.seconds),
            Case("1 connection", file, 1, pace.short_seconds),
        ]
        resource = {NO_GATEWAY: Running(party.upstream_port, 0)}
        with party.running(GATEWAYS, operations()) as running:
            found = list(interleaved(running | resource, warm_up, cases, pace.rounds, run.say))
    return Section(
        "gateways",
        "Gateways",
        f"One worker, one core, ES256, {TOKENS:,} tokens of as many customers, a read answered with "
        f"{ANSWER_BYTES} bytes. Added is what the median is longer than without a gateway.",
        "comparison",
        (envoy.WITHOUT_CACHE.name, envoy.WITH_ACCESS_LOG.name),
        found,
        NO_GATEWAY,
    )
