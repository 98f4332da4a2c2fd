"""Exchanges that arrive together share one transaction, and nothing else."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
from sqlalchemy import func, select

from auth_server import token_exchange
from auth_server.delegation_rules import ExchangeRequest, delegated_scope
from auth_server.exchanges import Exchanges
from auth_server.tables import RECORD, DelegationGrant, IssuedToken
from delegation.record_table import locked_head
from delegation.scope import Scope
from delegation.signing_key import SigningKey
from delegation.token_exchange import GRANT_TYPE
from tests.auth_server.client import refusal
from tests.auth_server.registry import Registry, key_file
from tests.auth_server.servers import AGENT, AuthServer, Tokens, claims
from tests.auth_server.test_lock_order import until_somebody_waits_for_a_lock


class Party:
    """A customer's subject token, and the agent's actor token."""

    def __init__(self, server: AuthServer) -> None:
        self.server = server
        self.customer = server.new_customer()
        self.signed_on: Tokens = server.sign_on(self.customer)
        self.subject = self.signed_on.token_for(AGENT)
        self.actor = server.actor_token()

    def exchange(self, **changes: Any) -> httpx2.Response:
        return self.server.exchange(self.subject, self.actor, **changes)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline, "what is waited for does not happen"
        time.sleep(0.001)


def together(server: AuthServer, asked: Sequence[Callable[[], httpx2.Response]]) -> list[httpx2.Response]:
    """Ask all of it, and let nothing be decided before the last has arrived; the first is decided alone."""
    assert Party(server).exchange().status_code == 200  # from now on the agent's keys are known
    exchanges = server.context.exchanges
    with ThreadPoolExecutor(len(asked)) as pool:
        with server.context.engine.begin() as other:
            locked_head(other, RECORD)
            answers = [pool.submit(asked[0])]
            until(lambda: exchanges._writer is not None and not exchanges._writer.done())
            until(lambda: not exchanges._waiting)
            answers += [pool.submit(one) for one in asked[1:]]
            until(lambda: len(exchanges._waiting) == len(asked) - 1)
        return [answer.result() for answer in answers]


def test_each_is_decided_and_recorded_by_itself(server: AuthServer) -> None:
    parties = [Party(server) for _ in range(4)]
    good, revoked, withdrawn, other = parties
    assert server.app.post("/revoke", {"token": revoked.subject}).status_code == 200
    own = {"authorization": f"Bearer {withdrawn.signed_on.token_for(server.settings.issuer)}"}
    for grant in server.http.get("/grants", headers=own).json()["grants"]:
        assert server.http.delete(f"/grants/{grant['grant_id']}", headers=own).status_code == 204
    again = server.agent.assertion()
    answers = together(
        server,
        [
            good.exchange,
            good.exchange,
            revoked.exchange,
            withdrawn.exchange,
            lambda: good.exchange(client_assertion=again),
            lambda: good.exchange(client_assertion=again),
            lambda: good.exchange(scope="account:nothing"),
            lambda: good.exchange(resource="https://elsewhere.example.com"),
            lambda: server.exchange(good.subject, other.subject),
            other.exchange,
        ],
    )
    said = ["" if one.status_code == 200 else refusal(one)[1] for one in answers]
    assert sorted(said[4:6]) == ["", "invalid_client"]
    assert said[:4] == ["", "", "invalid_request", "invalid_request"]
    assert said[6:] == ["invalid_scope", "invalid_target", "invalid_request", ""]
    issued = [claims(one.json()["access_token"]) for one in answers if one.status_code == 200]
    assert [one["sub"] for one in issued] == [good.customer] * 3 + [other.customer]
    for one in issued:
        [row] = server.rows(select(IssuedToken.parent_jti).where(IssuedToken.jti == one["jti"]))
        assert row.parent_jti == claims((good if one["sub"] == good.customer else other).subject)["jti"]
        [record] = server.records(jti=one["jti"])
        assert (record["decision"], record["sub"]) == ("permit", one["sub"])
    traces = {record["trace_id"] for record in server.records(operation="token.exchange")[-len(answers) :]}
    assert len(traces) == len(answers)


def test_a_fault_met_with_one_is_no_other_ones(server: AuthServer) -> None:
    parties = [Party(server) for _ in range(3)]
    spoilt = parties[1].customer

    def faulty(request: ExchangeRequest) -> Scope:
        if request.subject.subject == spoilt:
            raise RuntimeError("a fault in a rule")
        return delegated_scope(request)

    with patch.object(token_exchange, "delegated_scope", faulty):
        answers = together(server, [party.exchange for party in (parties[0], *parties)])
    assert [answer.status_code for answer in answers] == [200, 200, 500, 200]
    issued = select(func.count()).select_from(IssuedToken).where(IssuedToken.sub == spoilt)
    assert server.rows(issued.where(IssuedToken.parent_jti.is_not(None))) == [(0,)]


def test_whoever_never_stops_asking_keeps_nobody_from_being_decided(server: AuthServer) -> None:
    exchanges = Exchanges(server.context.server, server.context.engine, server.clock)

    async def run() -> int:
        asked = []
        for _ in range(1000):  # one more in each round of the event loop, and not even a client of ours
            asked.append(asyncio.create_task(exchanges.answer([("grant_type", GRANT_TYPE)])))
            await asyncio.sleep(0)
        waiting = len(exchanges._waiting)
        await asyncio.gather(*asked)
        return waiting

    assert asyncio.run(run()) < 1000 - 200, "the first ones are taken while others come"


def test_whoever_waits_for_another_transaction_holds_nobody_up(postgresql_server: AuthServer) -> None:
    server = postgresql_server
    slow, quick = Party(server), Party(server)
    with ThreadPoolExecutor(1) as pool:
        with server.context.engine.begin() as other:
            held = select(DelegationGrant.grant_id).where(DelegationGrant.sub == slow.customer)
            other.execute(held.with_for_update())
            waiting = pool.submit(slow.exchange)
            until_somebody_waits_for_a_lock(server)
            assert quick.exchange().status_code == 200
            assert not waiting.done()
        assert waiting.result().status_code == 200


def test_an_exchange_counts_the_keys_that_the_agent_has_now(
    own_server_on_each: AuthServer, tmp_path: Path
) -> None:
    server, party = own_server_on_each, Party(own_server_on_each)
    registry, first, second = Registry(server), SigningKey.generate(), SigningKey.generate()

    def statuses() -> list[int]:
        assertions = [server.agent.assertion(key=key) for key in (first, second)]
        return [party.exchange(client_assertion=one).status_code for one in assertions]

    registry("edit", AGENT, "--jwks", key_file(tmp_path, first))
    assert statuses() == [200, 401]
    registry("rotate-keys", AGENT, "--add", key_file(tmp_path, second))
    assert statuses() == [200, 200]
    registry("rotate-keys", AGENT, f"--remove={first.kid}")  # a kid may begin with a hyphen
    assert statuses() == [401, 200]
    registry("edit", AGENT, "--jwks", key_file(tmp_path, first))
    assert statuses() == [200, 401]


def test_an_assertion_that_was_spent_while_its_exchange_had_to_wait_is_not_good_again(
    postgresql_server: AuthServer,
) -> None:
    server, party, another = postgresql_server, Party(postgresql_server), Party(postgresql_server)
    assertion = server.agent.assertion()
    with ThreadPoolExecutor(1) as pool:
        with server.context.engine.begin() as other:
            held = select(IssuedToken.jti).where(IssuedToken.jti == claims(party.subject)["jti"])
            other.execute(held.with_for_update())
            waiting = pool.submit(party.exchange, client_assertion=assertion)
            until_somebody_waits_for_a_lock(server)
            again = server.exchange(another.subject, another.actor, client_assertion=assertion)
        assert waiting.result().status_code == 200
    assert refusal(again) == (401, "invalid_client")
