"""Step 2: the subject token that comes with a question, verified before anything else is looked at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from delegation.bearer import BearerError, InvalidToken, bearer_token
from delegation.clock import Clock
from delegation.jwks import KeysUnavailable
from delegation.problem import Problem
from delegation.record import Decision, Record, of_token, print_record
from delegation.token import AccessToken, DelegationToken
from delegation.verification import TokenVerifier


@dataclass(frozen=True, slots=True)
class Customer:
    """Who asks: the verified subject token, its encoded form for the exchange, and the decision's record."""

    token: AccessToken
    encoded: str = field(repr=False)  # a token must not reach a log through a traceback
    record_id: str

    @property
    def sub(self) -> str:
        """Return the customer's identifier."""
        return self.token.subject


@dataclass(frozen=True, slots=True)
class Reception:
    """Lets in whoever brings a good subject token for this agent, and records each decision."""

    verifier: TokenVerifier
    client_id: str
    clock: Clock

    async def admit(
        self, authorization: Iterable[str], query: Mapping[str, object], operation: str
    ) -> Customer:
        """Return the customer behind a request.

        Raises:
            BearerError: no token, or one that is not good for this agent.
            Problem: 503, the issuer's keys cannot be had.
        """
        token: AccessToken | None = None
        try:
            encoded = bearer_token(authorization, query)
            token = await self.verifier.verify(encoded)
            check_subject_token(token, self.client_id)
        except BearerError as error:
            self._record("deny", error.description, operation, token)
            raise
        except KeysUnavailable as error:
            self._record("deny", "the issuer's keys cannot be had", operation, None)
            raise Problem(
                503,
                "The subject token cannot be verified: the issuer's keys cannot be had. Try again shortly.",
            ) from error
        record = self._record("permit", "the customer lets this agent act", operation, token)
        return Customer(token, encoded, record.decision_id)

    def _record(self, decision: Decision, reason: str, operation: str, token: AccessToken | None) -> Record:
        record = Record(
            service="chatbot",
            step=2,
            decision=decision,
            reason=reason,
            operation=operation,
            time=self.clock(),
            **of_token(token),
        )
        print_record(record)
        return record


def check_subject_token(token: AccessToken, client_id: str) -> None:
    """A subject token is the customer's own and names the agent that may act (RFC 8693 §4.4).

    Raises:
        InvalidToken: it names an actor already, or another agent, or none.
    """
    if isinstance(token, DelegationToken):
        raise InvalidToken(
            "The token already names an actor; this agent takes the customer's own subject token."
        )
    if token.may_act != client_id:
        raise InvalidToken("The token does not allow this agent to act (may_act).")
