"""What the gateways' cost grows with: tokens, bodies, policy, workers; and what our records cost."""

from collections.abc import Iterator
from typing import Final

from benchmarks.backend import ANSWER_BYTES, LONGER_ANSWERS, json_of
from benchmarks.contenders import envoy, our_gateway
from benchmarks.cores import ALL
from benchmarks.gateway_contender import BALANCE, IMPORTS, Running, operations
from benchmarks.gateways import TOKENS, Gateways, around
from benchmarks.rounds import Case, Measured, Run, interleaved
from benchmarks.section import Section

_GATEWAYS: Final = (our_gateway.OURS, envoy.WITHOUT_CACHE, envoy.WITH_ACCESS_LOG)
_RECORDS: Final = (our_gateway.WITHOUT_RECORDS, our_gateway.OURS)
_CONNECTIONS: Final = 16
_TOKENS: Final = (10, 100, 1_000, 10_000, 100_000)
_OPERATIONS: Final = (10, 100, 1_000)
_WARM_UP_TOKENS_A_SECOND: Final = 10_000


def live_tokens(run: Run) -> Section:
    """Measure with few and with many tokens."""
    with around(run) as party, party.running(_GATEWAYS, operations()) as running:
        found = [one for count in _TOKENS for one in _of(party, running, f"{count:,} tokens", count)]
    return _section(
        "live-tokens", "Live tokens", "Requests for one balance, with so many tokens in turn.", found
    )


def answers(run: Run) -> Section:
    """Measure with short and long answers."""
    paths = {ANSWER_BYTES: BALANCE} | {
        length: f"/accounts/bytes-{length}/balance" for length in LONGER_ANSWERS
    }
    with around(run) as party, party.running(_GATEWAYS, operations()) as running:
        found = [
            one
            for length, path in paths.items()
            for one in _of(party, running, f"{length:,} bytes", TOKENS, path)
        ]
    return _section("answers", "Length of answers", "Reads that are answered with so many bytes.", found)


def requests(run: Run) -> Section:
    """Measure with short and long request bodies."""
    lengths = (ANSWER_BYTES, *LONGER_ANSWERS)
    with around(run) as party, party.running(_GATEWAYS, operations()) as running:
        found = [
            one
            for length in lengths
            for one in _of(party, running, f"{length:,} bytes", 50, IMPORTS, json_of(length).encode())
        ]
    about = (
        "`POST` with so many bytes, 50 tokens in turn. Our gateway has the decision on disk before it passes "
        "such a call on; Envoy has not."
    )
    return _section("requests", "Length of requests", about, found)


def policies(run: Run) -> Section:
    """Measure with policies of few and of many operations."""
    found: list[Measured] = []
    with around(run) as party:
        for count in _OPERATIONS:
            with party.running(_GATEWAYS, operations(count)) as running:
                found += _of(party, running, f"{count:,} operations", TOKENS)
    about = "Of so many operations in the policy one is called."
    return _section("policies", "Size of the policy", about, found)


def workers(run: Run) -> Section:
    """Measure with one worker and with two."""
    found: list[Measured] = []
    with around(run) as party:
        for count in (1, 2):
            with party.running(_GATEWAYS, operations(), cores=ALL, workers=count) as running:
                found += _of(party, running, f"{count} worker{'s'[: count - 1]}", TOKENS)
    about = f"On all of the cores {ALL}, of which load and resource take their part."
    return _section("workers", "Workers", about, found)


def records(run: Run) -> Section:
    """Measure what it costs our gateway to keep its records."""
    with around(run) as party, party.running(_RECORDS, operations()) as running:
        found = [*_of(party, running, "read", TOKENS), *_of(party, running, "write", TOKENS, IMPORTS, b"{}")]
    about = "A read's record is on disk within a second, a write's before it goes on to the resource."
    return _section("records", "Records", about, found)


def _of(
    party: Gateways,
    running: dict[str, Running],
    name: str,
    tokens: int,
    path: str = BALANCE,
    body: bytes = b"",
) -> Iterator[Measured]:
    """Measure one point of a curve."""
    pace, file = party.run.pace, party.folder / "requests"
    party.fresh_requests(file, tokens, path, body)
    warm_up_seconds = max(1, tokens // _WARM_UP_TOKENS_A_SECOND)
    yield from interleaved(
        running,
        Case("warm-up", file, _CONNECTIONS, warm_up_seconds),
        [Case(name, file, _CONNECTIONS, pace.short_seconds)],
        pace.curve_rounds,
        party.run.say,
    )


def _section(name: str, title: str, about: str, found: list[Measured]) -> Section:
    return Section(name, title, f"{about} {_CONNECTIONS} connections.", "curve", (), found)
