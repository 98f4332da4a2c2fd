"""A token exchange on its way: first verified by itself, then decided in a transaction with others."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auth_server.clients import Agent, Client
from auth_server.held_rows import HeldRows, Names
from auth_server.oauth_errors import InvalidClient
from auth_server.oauth_request import Parameters, ServerRequest
from auth_server.private_key_jwt import used_before
from auth_server.registered_agents import check_active, same_keys
from auth_server.used_assertions import Assertion
from delegation.bearer import InvalidToken
from delegation.record import Record
from delegation.token import AccessToken, DelegationToken

TOKENS = ("subject_token", "actor_token")


@dataclass(slots=True, eq=False, kw_only=True)
class Exchange:
    """A request for an exchange, its signatures verified; what is wrong with one is kept in its place.

    `tokens` has those of `TOKENS` that were sent. `is_unused` tells of the assertion, once it is spent.
    """

    uri: str
    parameters: Parameters
    now: datetime
    trace_id: str
    assertion: Assertion | InvalidClient
    tokens: Mapping[str, AccessToken | InvalidToken]
    is_unused: bool | None = None

    @property
    def names(self) -> Names | None:
        """Return whom and what it is about; None if it is no agent's, which ends it."""
        if not isinstance(self.assertion, Assertion) or not isinstance(self.assertion.client, Agent):
            return None
        tokens = {name: token for name, token in self.tokens.items() if isinstance(token, AccessToken)}
        subject = tokens.get("subject_token")
        return Names(
            agent=self.assertion.client.client_id,
            sub=subject.subject if subject else None,
            jtis=tuple(token.jti for token in tokens.values()),
            exchanged=tuple(token.jti for token in tokens.values() if isinstance(token, DelegationToken)),
        )


class ExchangeCall(ServerRequest):
    """An exchange in its transaction, which holds the rows that it depends on.

    `issued` and `used` are the rows to keep and to change if it is permitted, `records` where its records go;
    `is_unused` tells of the assertion.
    """

    def __init__(
        self,
        exchange: Exchange,
        names: Names | None,
        held: HeldRows,
        records: list[Record],
        *,
        is_unused: bool | None,
    ) -> None:
        super().__init__("POST", exchange.uri, exchange.parameters, None, exchange.now, exchange.trace_id)
        self.held = held
        self.tokens = exchange.tokens
        self.issued: list[dict[str, Any]] = []
        self.used: list[dict[str, Any]] = []
        self._assertion = exchange.assertion
        self._names = names
        self._records = records
        self._is_unused = is_unused

    def keep(self, record: Record) -> None:
        """Keep a record with the transaction."""
        self._records.append(record)

    def known_names(self) -> set[str]:
        """Return every agent's identifier, and every audience at which one may act."""
        return self.held.known_names()

    def authenticated(self) -> Client:
        """Return the client; an agent as it is registered now.

        Raises:
            InvalidClient: it did not authenticate, or is an agent that is not active.
        """
        assertion = self._assertion
        if isinstance(assertion, InvalidClient):
            raise assertion
        if not self._is_unused:
            raise used_before()
        client = self.client = assertion.client
        if isinstance(client, Agent):
            held = self.client = self.held.agent(client.client_id)
            check_active(held, client)
        return self.client

    def has_to_wait(self) -> bool:
        """Tell whether this cannot be decided now.

        Another transaction has locked what it is about, or its assertion was verified with keys that the
        agent has no longer.
        """
        if self._names is None or isinstance(self._assertion, InvalidClient):
            return False
        if self.held.lacks(self._names):
            return True
        agent = self._assertion.client
        return isinstance(agent, Agent) and not same_keys(self.held.agent(agent.client_id), agent)
