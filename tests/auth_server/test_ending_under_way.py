"""Whoever asks for a token while what it depends on is being ended waits, and then gets none.

Issue 4. On PostgreSQL the one who reads without a lock reads what was before, and issues a token that lives.
Each ending stands still here before it is committed, until the request waits for its row.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth_server.agent_history import By
from auth_server.agent_registry import change_state
from auth_server.browser_session import end_session
from auth_server.delegation_grants import grant_in_force, withdraw_grant
from auth_server.disabling import disable_customer
from auth_server.ended_tokens import revoke_token
from auth_server.tables import IssuedToken, SignOnSession
from tests.auth_server.servers import AGENT, ISSUER, AuthorizationRequest, AuthServer, Tokens, claims, sign_on
from tests.auth_server.test_lock_order import until_somebody_waits_for_a_lock


@dataclass
class Case:
    """A customer who has signed on, with what there is of it."""

    server: AuthServer
    customer: str
    tokens: Tokens
    subject: str
    actor: str

    @property
    def by(self) -> By:
        return By(who="a test", why="to see it", at=self.server.clock())


def withdraw(case: Case, db: Session) -> None:
    grant = grant_in_force(db, case.customer, AGENT, case.by.at)
    assert grant is not None
    assert withdraw_grant(db, case.customer, grant.grant_id, case.by.at) is not None


def revoke(case: Case, db: Session) -> None:
    revoke_token(db, db.get_one(IssuedToken, claims(case.subject)["jti"]), case.by.at)


def sign_out(case: Case, db: Session) -> None:
    session = db.scalars(select(SignOnSession).where(SignOnSession.sub == case.customer)).one()
    end_session(db, session, case.by.at)


def exchange(case: Case) -> httpx2.Response:
    return case.server.exchange(case.subject, case.actor)


CASES: dict[str, tuple[Callable[[Case, Session], object], Callable[[Case], httpx2.Response], int]] = {
    "an exchange, the grant": (withdraw, exchange, 400),
    "an exchange, the subject token": (revoke, exchange, 400),
    "an actor token, the agent": (
        lambda case, db: change_state(db, AGENT, "suspend", case.by),
        lambda case: case.server.agent.token(grant_type="client_credentials"),
        401,
    ),
    "a refresh, the session": (sign_out, lambda case: case.tokens.refresh(resource=ISSUER), 400),
    "a sign-on, the customer": (
        lambda case, db: disable_customer(db, case.customer, case.by),
        lambda case: sign_on(case.server.browser(), AuthorizationRequest(), case.customer).response,
        403,
    ),
}


@pytest.mark.parametrize("asked", CASES)
def test_a_request_waits_for_what_is_being_ended_and_is_refused(
    asked: str, postgresql_server: AuthServer
) -> None:
    server, customer = postgresql_server, postgresql_server.new_customer()
    tokens = server.sign_on(customer)
    case = Case(server, customer, tokens, tokens.token_for(AGENT), server.actor_token())
    end, ask, status = CASES[asked]
    with ThreadPoolExecutor(1) as pool:
        with server.context.transaction() as db:
            end(case, db)
            db.flush()
            asking = pool.submit(ask, case)
            until_somebody_waits_for_a_lock(server)
        answer = asking.result()
    if asked.endswith("the agent"):
        with server.context.transaction() as db:
            change_state(db, AGENT, "resume", case.by)
    assert answer.status_code == status
