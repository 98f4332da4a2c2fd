"""Authorization servers with the same token exchanges: RFC 8693 with `private_key_jwt`, ES256."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.contenders import oidc_provider, our_auth_server, usual_exchange
from benchmarks.cores import CONTENDER
from benchmarks.exchange_contender import ExchangePlace, exchanges
from benchmarks.exchange_refusals import wrongly_answered
from benchmarks.load import write_requests
from benchmarks.rounds import Case, Run, interleaved
from benchmarks.section import Section
from tests.postgres import running_postgres

SERVERS: Final = (
    our_auth_server.ON_SQLITE,
    our_auth_server.ON_POSTGRESQL,
    oidc_provider.OIDC_PROVIDER,
    usual_exchange.USUAL,
)
SUBJECT_TOKENS: Final = 5_000
_MOST_A_SECOND: Final = 5_000
"""So many requests are prepared, for an assertion is good once: a server that is faster gets errors."""


def comparison(run: Run) -> Section:
    """Compare token exchanges at 16 connections and at one."""
    pace = run.pace
    found, running = [], {}
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        customers = [f"customer-{number}@example.com" for number in range(SUBJECT_TOKENS)]
        party = ending.enter_context(exchanges(customers))
        for server in SERVERS:
            if not run.wants(server.name):
                continue
            run.say(f"{server.name}: is started, and what it refuses is checked")
            database_url = ""
            if server is our_auth_server.ON_POSTGRESQL:
                database_url = ending.enter_context(running_postgres(fsync="on")).new_database()
            place = ExchangePlace(party, Path(tempfile.mkdtemp(dir=folder)), CONTENDER, database_url)
            one = ending.enter_context(server.start(place))
            if run.may_time(server.name, wrongly_answered(one, party)):
                running[server.name] = one

        warm_up = Case("warm-up", folder / "warm-up", 16, pace.warm_up_seconds)
        cases = [
            Case("16 connections", folder / "16", 16, pace.seconds),
            Case("1 connection", folder / "1", 1, pace.short_seconds),
        ]

        def fresh() -> None:
            for case in (warm_up, *cases):
                write_requests(case.requests, party.requests(case.seconds * _MOST_A_SECOND))

        found = list(interleaved(running, warm_up, cases, pace.rounds, run.say, fresh))
    return Section(
        "exchange",
        "Token exchange",
        f"One worker, one core, ES256, {SUBJECT_TOKENS:,} subject tokens of as many customers, an actor "
        "token, and a new client assertion (`private_key_jwt`) for each request. Ours has each exchange on "
        "disk before it answers; PostgreSQL, with fsync, is on the other core.",
        "comparison",
        (oidc_provider.OIDC_PROVIDER.name,),
        found,
    )
