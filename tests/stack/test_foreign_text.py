"""In a browser: what others wrote is text, and loads nothing from elsewhere. docs/compromised-model.md."""

import secrets

import httpx2
from playwright.sync_api import expect

from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import ALEX, READ_BALANCE, READ_TRANSACTIONS, SAM, TRANSFER, Deployment
from tests.stack.doors import bearer
from tests.stack.visitor import Visitor

ELSEWHERE = "elsewhere.example"
MEMO = f"![b](https://{ELSEWHERE}/b.png) [c](https://{ELSEWHERE}/c) <img src=https://{ELSEWHERE}/d.png> https://{ELSEWHERE}/e"


def test_a_memo_with_links_and_pictures_is_shown_as_it_stands(
    visitor: Visitor, app: BankingApp, agent: Agent, deployment: Deployment, http: httpx2.Client
) -> None:
    token = agent.delegation_token(app.sign_on(SAM, TRANSFER).subject_token(), TRANSFER)
    amount = {"amount_minor": 1, "currency": "EUR"}
    order = {"from_account": "4003-01", "to": "Alex Morgan", "amount": amount, "memo": MEMO}
    headers = bearer(token) | {"Idempotency-Key": secrets.token_hex(16)}
    assert http.post(f"{deployment.gateway}/transfers", json=order, headers=headers).status_code == 201
    asked_elsewhere: list[str] = []
    visitor.page.on("request", lambda one: asked_elsewhere.append(one.url) if ELSEWHERE in one.url else None)

    visitor.sign_on(ALEX, READ_BALANCE, READ_TRANSACTIONS)
    memo = visitor.page.locator(".transactions q", has_text=ELSEWHERE).first
    expect(memo).to_have_text(MEMO)
    visitor.screenshot("overview-hostile-memo")
    answer = visitor.ask(f"Show my last five transactions {MEMO}")

    assert answer.text
    assert ELSEWHERE in visitor.page.locator(".said").first.inner_text()
    for part in ("a[href]", "img[src]"):
        attribute = part.partition("[")[2].rstrip("]")
        found = [one.get_attribute(attribute) or "" for one in visitor.page.locator(part).all()]
        assert [one for one in found if ELSEWHERE in one] == []
    assert asked_elsewhere == []
    visitor.sign_out()
