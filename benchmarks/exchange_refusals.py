"""What every token exchange has to refuse before it is timed, and what it must answer."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import jwt

from benchmarks.exchange_contender import Exchanges, Form
from benchmarks.gateway_contender import Running
from benchmarks.issuer import namesake
from delegation.client_assertion import ASSERTION_TYPE, client_assertion
from tests.issuer import ACCOUNT_API, AGENT


def wrongly_answered(running: Running, exchanges: Exchanges) -> list[str]:
    """Return what an authorization server does wrong; empty if it may be timed."""
    found = []
    with httpx2.Client(base_url=f"http://127.0.0.1:{running.port}", timeout=10) as http:
        used = exchanges.authenticated(exchanges.form(exchanges.subjects[0]))
        answer = http.post("/token", data=used)
        fault = _fault(answer, exchanges)
        if fault:
            found.append(fault)
        for what, form in (*_badly_authenticated(exchanges), ("an assertion that was used", used)):
            found += _passed(http, what, form)
        for what, form in exchanges.bad.items():
            found += _passed(http, what, exchanges.authenticated(form))
    return found


def _passed(http: httpx2.Client, what: str, form: Form) -> list[str]:
    status = http.post("/token", data=form).status_code
    return [] if status in (400, 401) else [f"{what}: {status}"]


def _fault(answer: httpx2.Response, exchanges: Exchanges) -> str | None:
    """Say what is wrong with a delegation token, None if it is as the design has it."""
    if answer.status_code != 200:
        return f"a good exchange: {answer.status_code} {answer.text[:200]}"
    claims = jwt.decode(
        answer.json()["access_token"],
        exchanges.issuer.key.public,
        ["ES256"],
        audience=ACCOUNT_API,
        issuer=exchanges.issuer.issuer,
    )
    expected = {"sub": exchanges.customers[0], "act": {"sub": AGENT}, "scope": "account:read_balance"}
    wrong = [name for name, value in expected.items() if claims.get(name) != value]
    life = claims["exp"] - claims["iat"]
    return f"a good exchange: {', '.join(wrong)} wrong, {life} s" if wrong or life > 300 else None


def _badly_authenticated(exchanges: Exchanges) -> Iterator[tuple[str, Form]]:
    form, issuer = exchanges.form(exchanges.subjects[0]), exchanges.issuer.issuer
    yield "no client authentication", form
    for what, assertion in {
        "assertion by another key": client_assertion(namesake(exchanges.agent), AGENT, issuer),
        "assertion for another server": client_assertion(exchanges.agent, AGENT, "https://other.example.com"),
        "assertion that has expired": client_assertion(
            exchanges.agent, AGENT, issuer, lambda: datetime.now(UTC) - timedelta(minutes=5)
        ),
    }.items():
        yield what, form | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
