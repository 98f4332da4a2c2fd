"""Envoy with the decision service decides as the gateway does: thousands of requests, the same to both.

DIFFERENTIAL_REQUESTS says how many; `make differential` sends 10,000.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException, HTTPResponse
from pathlib import Path

import httpx2
import pytest

from delegation.security_event import Ended
from gateway.app import create_app, create_decision_service
from gateway.request_headers import FORWARDED
from gateway.settings import Settings
from tests.clock import SetClock
from tests.envoy import serving_envoy
from tests.gateway.ending_issuer import EndingIssuer
from tests.gateway.made_requests import (
    ENDED_AGENT,
    ENDED_CUSTOMER,
    ENDED_JTI,
    OTHER_AGENT,
    Made,
    Maker,
)
from tests.gateway.recording import Arrived, RecordingResource
from tests.gateway.wire import connected
from tests.issuer import AGENT
from tests.serving import serve
from tests.stack.waiting import until

REQUESTS = int(os.environ.get("DIFFERENTIAL_REQUESTS", "1500"))
SEED = 5

POLICY = f"""\
audience: https://account.api.example.com
name: Account API
operations:
  account.list:
    method: GET
    path: /accounts
    scope: account:read_balance
    actors: [{AGENT}, {OTHER_AGENT}]
  account.read:
    method: GET
    path: /accounts/{{account_id}}
    scope: account:read_balance account:read_transactions
    actors: [{AGENT}, {ENDED_AGENT}]
    max_depth: 2
    arguments:
      account_id: {{in: path}}
      limit: {{in: query, type: int, default: "10"}}
    conditions:
      - require: args.account_id.startsWith('40') && args.limit <= 50
        otherwise: Ask for fewer.
  account.close:
    method: DELETE
    path: /accounts/{{account_id}}
    scope: account:transfer
    actors: [{OTHER_AGENT}]
    max_depth: 1
  account.annotate:
    method: PUT
    path: /accounts/{{account_id}}/note
    scope: account:read_balance
    actors: [{AGENT}, {OTHER_AGENT}]
  account.rename:
    method: PATCH
    path: /accounts/{{account_id}}
    scope: account:transfer
    actors: [{AGENT}, {OTHER_AGENT}]
    mode: observe
    arguments:
      to: {{in: body}}
    conditions:
      - require: args.to == 'rent'
        otherwise: Only this.
  event.list:
    method: GET
    path: /events
    scope: account:read_balance
    actors: [{AGENT}, {OTHER_AGENT}]
    rate: {{agent: 40/hour, customer: 15/hour}}
  account.transfer:
    method: POST
    path: /transfers
    scope: account:transfer
    actors: [{AGENT}, {OTHER_AGENT}]
    arguments:
      amount_minor: {{in: body, name: /amount/amount_minor, type: int}}
      currency: {{in: body, name: /amount/currency}}
    conditions:
      - require: args.currency == 'EUR' && args.amount_minor > 0 && args.amount_minor <= 1000
        otherwise: No more than that.
      - require: authorization_details.all(one, args.amount_minor <= one.max_amount_minor)
        otherwise: The customer allowed less.
"""


@dataclass(frozen=True)
class OtherStatus:
    """Refused by both, and why not in the same words: for which requests, and how Envoy answers them."""

    why: str
    when: Callable[[Made], bool]
    envoy: frozenset[int]


def has(field: str) -> Callable[[Made], bool]:
    return lambda made: any(name.lower() == field for name, _ in made.fields)


REFUSALS = frozenset({400, 401, 403, 404, 405, 413, 422, 429})
OTHER_STATUS = (
    OtherStatus("Envoy itself has no such transfer coding.", has("transfer-encoding"), frozenset({501})),
    OtherStatus(
        "Envoy itself takes * with OPTIONS only.", lambda made: made.target[0] == "*", frozenset({400})
    ),
    OtherStatus(
        "Two hosts: the gateway's server looks before the token, and not after.", has("host"), REFUSALS
    ),
    OtherStatus(
        "A comma in Authorization: Envoy shows two fields so.",
        lambda made: "authorization comma" in made.flaws,
        frozenset({400}),
    ),
    OtherStatus(
        "What only the gateway answers, for auditors and enforcement points, is no path of Envoy's.",
        lambda made: made.target.partition("?")[0] in {"/audit", "/access/v1/evaluation"},
        REFUSALS,
    ),
)


KINDS = {
    "actor-not-allowed",
    "actor-required",
    "ambiguous-request",
    "condition-not-met",
    "content-too-large",
    "delegation-too-deep",
    "insufficient-scope",
    "invalid-request",
    "invalid-token",
    "method-not-allowed",
    "missing-token",
    "too-many-calls",
    "unknown-path",
    "unsafe-path",
    "unusable-argument",
}
"""Each of these refusals is met, or the requests are too much alike."""


class Rig:
    """The two, before the same resource, with the same clock."""

    def __init__(self, gateway: str, envoy: str, resource: RecordingResource, maker: Maker) -> None:
        self.gateway, self.envoy = gateway, envoy
        self.maker = maker
        self._resource = resource

    def told(self, url: str, made: Made) -> tuple[int, str | None, list[tuple[object, ...]]]:
        """Send a request; return the status (0: none), the kind of refusal, and what reached the resource."""
        self._resource.reset()
        status, kind = 0, None
        with connected(url) as connection:
            try:
                connection.sendall(made.raw)
                answer = HTTPResponse(connection, method=made.method)
                answer.begin()
                body, status = answer.read(), answer.status
                if answer.headers["content-type"] == "application/problem+json" and body:
                    kind = body.partition(b'"type":"')[2].partition(b'"')[0].decode().rpartition("/")[2]
            except (HTTPException, OSError):
                pass
        # Of a body that turns out too long the resource may have seen the beginning, and is cut off.
        return status, kind, [essence(one) for one in self._resource.arrived if one.complete]


def essence(arrived: Arrived) -> tuple[object, ...]:
    """Return what two ways to send the same request have in common."""
    fields = {name: ",".join(arrived.header(name)).replace(", ", ",") for name in FORWARDED}
    del fields["content-length"]
    authorization = fields.pop("authorization").partition(" ")[2].strip()
    unknown = {name for name, _ in arrived.headers} - {
        *FORWARDED,
        "host",
        "transfer-encoding",
        "traceparent",
        "via",
    }
    return (
        arrived.method,
        arrived.path,
        arrived.query,
        arrived.body,
        authorization,
        tuple(fields.items()),
        unknown,
    )


def ready(url: str) -> bool:
    return httpx2.get(f"{url}/readyz").is_success


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    clock = SetClock(datetime.now(UTC).replace(microsecond=0))
    moment = clock() - timedelta(seconds=5)
    ended = [
        Ended(moment, jti=ENDED_JTI),
        Ended(clock() + timedelta(seconds=60), party=ENDED_AGENT),
        Ended(moment, party=AGENT, sub=ENDED_CUSTOMER),
    ]
    policy, resource = tmp_path / "policy.yaml", RecordingResource()
    policy.write_text(POLICY)
    with EndingIssuer(clock, ended).serving() as issuer, serve(resource) as url:
        settings = Settings(
            jwks_uri=issuer.jwks_uri,
            token_endpoint=f"{issuer.url}/token",
            security_events_endpoint=f"{issuer.url}/events",
            upstream_url=url,
            policy_file=policy,
            data_dir=tmp_path / "gateway",
        )
        other = settings.model_copy(update={"data_dir": tmp_path / "decision_service"})
        asked = create_decision_service(other, clock)
        with (
            serve(create_app(settings, clock)) as gateway,
            serving_envoy(other, tmp_path, decision_service=asked) as envoy,
        ):
            maker = Maker(SEED, issuer.key, issuer.issuer, clock())
            until(lambda: all(ready(one) for one in (gateway, envoy)), "what has ended is known")
            yield Rig(gateway, envoy, resource, maker)


def test_envoy_with_the_decision_service_decides_as_the_gateway_does(rig: Rig) -> None:
    seen: Counter[tuple[int, str | None]] = Counter()
    other: Counter[str] = Counter()
    for number in range(REQUESTS):
        made = rig.maker.request()
        gateway, envoy = rig.told(rig.gateway, made), rig.told(rig.envoy, made)
        said = f"request {number}, {made.method} {made.target[:60]} with {made.flaws}: {gateway} and {envoy}"
        assert gateway[2] == envoy[2], f"another decision: {said}"
        if gateway[:2] != envoy[:2]:
            assert not gateway[2], f"another answer to a permitted call: {said}"
            why = [one.why for one in OTHER_STATUS if one.when(made) and envoy[0] in one.envoy]
            assert why, f"another refusal: {said}"
            other[why[0]] += 1
        seen[gateway[:2]] += 1
    sys.stdout.write(f"{REQUESTS} requests, each with the same decision: {seen.most_common()}\n")
    sys.stdout.write(f"Refused with another status: {other.most_common()}\n")
    assert {kind for _, kind in seen} >= KINDS
