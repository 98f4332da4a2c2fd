"""Token exchanges that arrive together are decided and kept in one transaction (group commit).

Each is verified by itself before. An answer leaves when the transaction is committed. Whoever has to wait
for somebody else's transaction waits alone.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, bindparam
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from auth_server.audit import recorded
from auth_server.authorization_server import AuthorizationServer, ServerResponse
from auth_server.clients import Agent, Client
from auth_server.exchange_call import TOKENS, Exchange, ExchangeCall
from auth_server.held_rows import HeldRows
from auth_server.oauth_errors import InvalidClient
from auth_server.oauth_request import Parameters
from auth_server.tables import Base, DelegationGrant, IssuedToken
from auth_server.used_assertions import Assertion, use_once
from delegation.bearer import InvalidToken
from delegation.clock import Clock
from delegation.in_thread import in_thread
from delegation.prepared import Prepared
from delegation.token import AccessToken
from delegation.trace import current_trace_id

_MOST_AT_ONCE: Final = 256
_QUIET_ROUNDS: Final = 3
"""So many rounds of the event loop take a request from its connection to where it waits."""

_TOKEN: Final = Base.metadata.tables[IssuedToken.__tablename__]
_GRANT: Final = Base.metadata.tables[DelegationGrant.__tablename__]
_KEEP_ISSUED: Final = Prepared(
    _TOKEN.insert(), sets=[column.name for column in _TOKEN.c if column is not _TOKEN.c.revoked_at]
)
_NOTE_USED: Final = Prepared(
    _GRANT.update()
    .where(_GRANT.c.grant_id == bindparam("used_id"))
    .values(last_used_at=bindparam("used_at"), last_used_scope=bindparam("used_scope"))
)

Outcome = ServerResponse | Exception | None
"""An answer, what went wrong with this one exchange alone, or None: it has to be decided once more."""


class Exchanges:
    """Answers token exchanges, on the event loop."""

    def __init__(self, server: AuthorizationServer, engine: Engine, clock: Clock) -> None:
        self._server = server
        self._engine = engine
        self._clock = clock
        self._agents: dict[str, Agent] = {}
        self._waiting: list[tuple[Exchange, asyncio.Future[Outcome]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def answer(self, parameters: Parameters) -> ServerResponse:
        """Answer one request for an exchange.

        Raises:
            SQLAlchemyError: the database does not work now.
        """
        exchange = await self._verified(parameters)
        decided: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((exchange, decided))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._decide_all())
        outcome = await decided
        if outcome is None:
            exchange.assertion = await self._assertion(dict(exchange.parameters), exchange.now, fresh=True)
            [outcome] = await in_thread(self._decide, [exchange], waits=True)
        if isinstance(outcome, ServerResponse):
            return outcome
        raise outcome or RuntimeError("an exchange that may wait was not decided")

    async def finish(self) -> None:
        """Wait until nothing is being decided any more."""
        if self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])

    async def _decide_all(self) -> None:
        while self._waiting:
            await self._arrived()
            batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
            exchanges = [exchange for exchange, _ in batch]
            outcomes: Sequence[Outcome]
            try:
                outcomes = await in_thread(self._decide, exchanges, waits=False)
            except (DataError, IntegrityError):  # a value of one of them: each by itself, then
                outcomes = [None] * len(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
                outcomes = [error] * len(batch)
            for (_, decided), outcome in zip(batch, outcomes, strict=True):
                if not decided.done():  # the caller may be gone
                    decided.set_result(outcome)

    async def _arrived(self) -> None:
        """Return when the event loop brings no more, or enough: with the first alone the rest would wait."""
        known, quiet = 0, 0
        while quiet < _QUIET_ROUNDS and known < _MOST_AT_ONCE:
            quiet = quiet + 1 if len(self._waiting) == known else 0
            known = len(self._waiting)
            await asyncio.sleep(0)

    async def _verified(self, parameters: Parameters) -> Exchange:
        """Verify what needs no transaction, before there is one."""
        form, now, tokens = dict(parameters), self._clock(), {}
        assertion = await self._assertion(form, now, fresh=False)
        if isinstance(assertion, Assertion):
            tokens = {name: self._token(form[name], now) for name in TOKENS if form.get(name)}
        return Exchange(
            uri=f"{self._server.settings.issuer}/token",
            parameters=parameters,
            now=now,
            trace_id=current_trace_id(),
            assertion=assertion,
            tokens=tokens,
        )

    async def _assertion(
        self, form: Mapping[str, str], now: datetime, *, fresh: bool
    ) -> Assertion | InvalidClient:
        """Verify the assertion; unless `fresh`, with the keys that its agent had last time.

        In the transaction it counts only if the agent has the same keys still.
        """
        remembered = False

        async def find(client_id: str) -> Client | None:
            nonlocal remembered
            agent = None if fresh else self._agents.get(client_id)
            remembered = agent is not None
            return agent or await self._find_anew(client_id)

        try:
            return await self._server.client_authentication.verified(find, form, now)
        except InvalidClient as error:
            return await self._assertion(form, now, fresh=True) if remembered else error

    async def _find_anew(self, client_id: str) -> Client | None:
        client = await self._server.find_client(client_id)
        if isinstance(client, Agent):
            self._agents[client_id] = client
        return client

    def _token(self, encoded: str, now: datetime) -> AccessToken | InvalidToken:
        try:
            return self._server.tokens.verified(encoded, now)
        except InvalidToken as error:
            return error

    def _decide(self, exchanges: Sequence[Exchange], *, waits: bool) -> list[Outcome]:
        """Decide exchanges in one transaction; those that would have to wait for another are left."""
        names = [exchange.names for exchange in exchanges]
        now = min(exchange.now for exchange in exchanges)
        outcomes: list[Outcome] = []
        with recorded(self._engine) as (connection, records):
            unused = _spend(connection, exchanges)
            held = HeldRows(connection, list(filter(None, names)), now, waits=waits)
            answered: list[ExchangeCall] = []
            for one, named in zip(exchanges, names, strict=True):
                call = ExchangeCall(one, named, held, records, is_unused=unused.get(one))
                outcome = None if not waits and call.has_to_wait() else self._outcome(call)
                outcomes.append(outcome)
                if isinstance(outcome, ServerResponse):
                    answered.append(call)
            _keep(connection, answered)
        for exchange, was_unused in unused.items():
            exchange.is_unused = was_unused
        return outcomes

    def _outcome(self, call: ExchangeCall) -> Outcome:
        try:
            return self._server.create_token_response(call)
        except SQLAlchemyError:  # the transaction's
            raise
        except Exception as error:  # noqa: BLE001 - a fault that is met with this one is no other's
            return error


def _spend(connection: Connection, exchanges: Sequence[Exchange]) -> dict[Exchange, bool]:
    """Spend the assertions; return of each whether it was unused until now."""
    verified = {one: one.assertion for one in exchanges if isinstance(one.assertion, Assertion)}
    unspent = {one: assertion for one, assertion in verified.items() if one.is_unused is None}
    unused = use_once(connection, list(unspent.values())) if unspent else []
    return {one: one.is_unused for one in verified if one.is_unused is not None} | dict(
        zip(unspent, unused, strict=True)
    )


def _keep(connection: Connection, calls: Sequence[ExchangeCall]) -> None:
    """Keep what is issued, and note of each grant how it was used last."""
    issued = [row for call in calls for row in call.issued]
    used = {row["used_id"]: row for call in calls for row in call.used}
    if issued:
        _KEEP_ISSUED.run(connection, *issued)
    if used:
        _NOTE_USED.run(connection, *used.values())
