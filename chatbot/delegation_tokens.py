"""Steps 3 and 4: a delegation token for each customer and scope, exchanged when needed and then kept."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from chatbot.claims import shown_claims
from chatbot.subject_token import Customer
from delegation.client_credentials import IssuedToken
from delegation.clock import Clock
from delegation.oauth_error import OAuthError
from delegation.record import Decision, Record, of_token, print_record
from delegation.scope import Scope
from delegation.token_exchange import ACCESS_TOKEN_TYPE, GRANT_TYPE, TokenExchangeClient

_RENEW_BEFORE_EXPIRY: Final = timedelta(seconds=15)
_MAX_KEPT: Final = 10_000

_Key = tuple[str, str, Scope]


@dataclass(frozen=True, slots=True)
class DelegationToken:
    """A token to act with, and how it came about; `request` and `claims` are for display, without a token."""

    issued: IssuedToken
    request: dict[str, Any]
    claims: dict[str, Any] | None
    record_id: str | None
    reused: bool


class ExchangeRefused(Exception):
    """The authorization server issued no token. `request` is what was asked of it, `error` its answer."""

    def __init__(self, error: OAuthError, request: dict[str, Any], record_id: str) -> None:
        super().__init__(error.error)
        self.error = error
        self.request = request
        self.record_id = record_id


class DelegationTokens:
    """Gets delegation tokens for one resource.

    A kept token serves only the subject token that it was exchanged for, never beyond that one's expiry, and
    until 15 seconds before its own.
    """

    def __init__(self, exchange: TokenExchangeClient, resource: str, client_id: str, clock: Clock) -> None:
        self._exchange = exchange
        self._resource = resource
        self._client_id = client_id
        self._clock = clock
        self._kept: OrderedDict[_Key, IssuedToken] = OrderedDict()

    async def get(self, customer: Customer, scope: Scope, operation: str) -> DelegationToken:
        """Return a token that lets this agent act for the customer with just this scope.

        Raises:
            ExchangeRefused: the authorization server refused, or did not answer.
        """
        kept = self._usable(customer, scope)
        if kept is not None:
            return DelegationToken(
                kept, self._request(scope), shown_claims(kept.access_token), None, reused=True
            )
        request = self._request(scope)
        try:
            actor_token = await self._exchange.actor_token()
            request["actor_token"] = shown_claims(actor_token.access_token)
            issued = await self._exchanged(customer, scope)
        except OAuthError as error:
            reason = f"{error.error}: {error.description}"
            record = self._record("deny", reason, operation, customer, scope)
            raise ExchangeRefused(error, request, record.decision_id) from error
        record = self._record("permit", "a delegation token was issued", operation, customer, scope)
        self._keep(customer, scope, issued)
        return DelegationToken(
            issued, request, shown_claims(issued.access_token), record.decision_id, reused=False
        )

    async def _exchanged(self, customer: Customer, scope: Scope) -> IssuedToken:
        try:
            return await self._exchange.exchange(customer.encoded, self._resource, scope)
        except OAuthError as error:
            if error.error != "invalid_request":
                raise
        # It may have been the kept actor token, which ends with a suspension: once more, with a new one.
        return await self._exchange.exchange(customer.encoded, self._resource, scope)

    def drop(self, customer: Customer, scope: Scope) -> None:
        """Forget a token that the resource did not accept."""
        self._kept.pop(_key(customer, scope), None)

    def forget(self, sub: str) -> None:
        """Forget every token for a customer."""
        for key in [key for key in self._kept if key[0] == sub]:
            del self._kept[key]

    def _usable(self, customer: Customer, scope: Scope) -> IssuedToken | None:
        kept = self._kept.get(_key(customer, scope))
        now = self._clock()
        if kept is None or min(kept.expires_at - _RENEW_BEFORE_EXPIRY, customer.token.expires_at) <= now:
            return None
        self._kept.move_to_end(_key(customer, scope))
        return kept

    def _keep(self, customer: Customer, scope: Scope, issued: IssuedToken) -> None:
        now = self._clock()
        for key in [key for key, kept in self._kept.items() if kept.expires_at <= now]:
            del self._kept[key]
        self._kept[_key(customer, scope)] = issued
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)

    def _request(self, scope: Scope) -> dict[str, Any]:
        return {
            "grant_type": GRANT_TYPE,
            "subject_token_type": ACCESS_TOKEN_TYPE,
            "actor_token_type": ACCESS_TOKEN_TYPE,
            "resource": self._resource,
            "scope": str(scope),
        }

    def _record(
        self, decision: Decision, reason: str, operation: str, customer: Customer, scope: Scope
    ) -> Record:
        of_subject_token = of_token(customer.token)
        asked = {"act": (self._client_id,), "scope": str(scope), "aud": (self._resource,)}
        record = Record(
            service="chatbot",
            step=3,
            decision=decision,
            reason=reason,
            operation=operation,
            resource=self._resource,
            time=self._clock(),
            **of_subject_token | asked,
        )
        print_record(record)
        return record


def _key(customer: Customer, scope: Scope) -> _Key:
    return customer.sub, customer.token.jti, scope
