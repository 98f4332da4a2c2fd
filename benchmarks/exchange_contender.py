"""What a token exchange is made of, the same for every authorization server, and what is measured as one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.gateway_contender import Running
from benchmarks.issuer import LIFE_SECONDS, Issuer, namesake
from delegation.client_assertion import ASSERTION_TYPE, client_assertion
from delegation.signing_key import SigningKey
from delegation.token_exchange import ACCESS_TOKEN_TYPE, GRANT_TYPE
from tests.issuer import ACCOUNT_API, AGENT
from tests.jwks_server import JwksServer

SCOPES: Final = "account:read_balance account:read_transactions account:transfer"
OTHER_AGENT: Final = "https://card-agent.example.com"

Form = dict[str, str]


@dataclass(frozen=True)
class Exchanges:
    """The agent and its tokens; `issuer` signs for every authorization server, which all have its key."""

    issuer: Issuer
    agent: SigningKey
    agent_jwks_uri: str
    customers: list[str]
    subjects: list[str]
    """A subject token for each customer, good for 15 minutes."""
    actor: str
    """The agent's actor token."""
    bad: dict[str, Form]
    """Forms that must be refused, but for their client assertion: by what is wrong with them."""

    def form(self, subject: str) -> Form:
        """Return the parameters of an exchange, without client authentication."""
        return {
            "grant_type": GRANT_TYPE,
            "subject_token": subject,
            "subject_token_type": ACCESS_TOKEN_TYPE,
            "actor_token": self.actor,
            "actor_token_type": ACCESS_TOKEN_TYPE,
            "resource": ACCOUNT_API,
            "scope": "account:read_balance",
        }

    def authenticated(self, form: Form) -> Form:
        """Return a form with a client assertion, which is good for one use within a minute."""
        assertion = client_assertion(self.agent, AGENT, self.issuer.issuer)
        return form | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}

    def requests(self, count: int) -> Iterator[bytes]:
        """Yield so many requests, each with another assertion, over all subject tokens in turn."""
        for number in range(count):
            form = self.authenticated(self.form(self.subjects[number % len(self.subjects)]))
            yield token_request(form)

    def tokens(self) -> Iterator[str]:
        """Yield every token that an authorization server should know."""
        yield from self.subjects
        yield self.actor
        for form in self.bad.values():
            yield from (form[name] for name in ("subject_token", "actor_token") if name in form)


def token_request(form: Form) -> bytes:
    """Return a request to the token endpoint."""
    body = urlencode(form).encode()
    head = "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def exchanges(customers: list[str], issuer_name: str = "http://localhost:8502") -> Iterator[Exchanges]:
    """Make the agent, and its tokens for these customers."""
    issuer, agent = Issuer(issuer_name), SigningKey.generate()
    subjects = [_subject(issuer, sub) for sub in customers]
    actor = _actor(issuer)
    with JwksServer([agent]).serving() as keys:
        made = Exchanges(issuer, agent, keys.jwks_uri, customers, subjects, actor, {})
        made.bad.update(_bad(made, customers[0]))
        yield made


def _subject(issuer: Issuer, sub: str, **claims: Any) -> str:  # noqa: ANN401
    return issuer.subject_token(**{"scope": SCOPES, "sub": sub, "client_id": "banking-app"} | claims)


def _actor(issuer: Issuer, **claims: Any) -> str:  # noqa: ANN401
    mine = {"aud": issuer.issuer, "sub": AGENT, "client_id": AGENT, "scope": SCOPES}
    return issuer.mint(**mine | claims, life=LIFE_SECONDS)


def _bad(good: Exchanges, sub: str) -> Iterator[tuple[str, Form]]:
    issuer = good.issuer
    form = good.form(good.subjects[0])
    for what, subject in {
        "subject token with a wrong signature": _subject(issuer, sub, key=namesake(issuer.key)),
        "subject token that has expired": _subject(issuer, sub, iat=1_700_000_000, exp=1_700_000_900),
        "subject token for another agent": _subject(issuer, sub, aud=OTHER_AGENT),
        "subject token that lets another agent act": _subject(issuer, sub, may_act={"sub": OTHER_AGENT}),
        "subject token that lets nobody act": _subject(issuer, sub, may_act=None),
        "subject token without the scope": _subject(issuer, sub, scope="account:read_transactions"),
    }.items():
        yield what, form | {"subject_token": subject}
    for what, actor in {
        "actor token of another agent": _actor(issuer, sub=OTHER_AGENT, client_id=OTHER_AGENT),
        "actor token that has expired": _actor(issuer, iat=1_700_000_000, exp=1_700_000_300),
        "subject token as actor token": good.subjects[0],
    }.items():
        yield what, form | {"actor_token": actor}
    yield "no actor token", {name: form[name] for name in form if not name.startswith("actor_token")}
    yield "no subject token", {name: form[name] for name in form if not name.startswith("subject_token")}
    yield "another resource", form | {"resource": "https://other.api.example.com"}


@dataclass(frozen=True)
class ExchangePlace:
    """Where an authorization server runs."""

    exchanges: Exchanges
    folder: Path
    cores: list[int]
    database_url: str = ""


@dataclass(frozen=True)
class AuthorizationServer:
    """A contender: its name in tables, and how it is started for the length of a block."""

    name: str
    start: Callable[[ExchangePlace], AbstractContextManager[Running]]
