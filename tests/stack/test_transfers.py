"""Transfers under load, with repeats, clients that die, and an account API that is killed in the middle.

Issue 2, point 5. Every order is sent through the gateway, by the agent for Sam, between Sam's own accounts.
"""

import itertools
import json
import random
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.stack.agent import Agent
from tests.stack.answers import json_of, told
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import READ_BALANCE, SAM, TRANSFER, Deployment
from tests.stack.ledger import ledger
from tests.stack.secrets_seen import Secret, Token
from tests.stack.stack import Stack

KEYS = 100
CLIENTS = 200
DYING = 50
"""How many of the clients die before they have read their answer."""
KILL_AFTER = 30
"""How many receipts have arrived when the account API is killed."""
PATIENCE_SECONDS = 90.0
TRY_AGAIN = frozenset({502, 503, 504})
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Order:
    """An order to pay; its key is its memo too, so that the ledger tells how often it was booked."""

    key: str
    from_account: str
    to: str
    amount_minor: int

    @property
    def body(self) -> dict[str, object]:
        amount = {"amount_minor": self.amount_minor, "currency": "EUR"}
        return {"from_account": self.from_account, "to": self.to, "amount": amount, "memo": self.key}


class Bank:
    """Sam's accounts, as the agent reaches them. `failures` are what came instead of receipts so far."""

    def __init__(self, deployment: Deployment, tokens: dict[str, Token], http: httpx2.Client) -> None:
        self._gateway = deployment.gateway
        self._tokens = tokens
        self._http = http
        self.failures: list[str] = []

    def balances(self) -> dict[str, int]:
        """Return the balance of each account, in minor units."""
        answer = self._http.get(f"{self._gateway}/accounts", headers=self._headers(READ_BALANCE))
        accounts = json_of(answer, 200)["accounts"]
        return {each["account_id"]: each["balance"]["amount_minor"] for each in accounts}

    def order_until_booked(self, order: Order) -> str:
        """Send an order, and again while it is told to or the answer breaks off; return the transfer's id."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._http.post(
                    f"{self._gateway}/transfers", json=order.body, headers=self._headers(TRANSFER, order.key)
                )
            except httpx2.RemoteProtocolError as error:
                # The account API died in its answer, of which the gateway had already passed on a part.
                self.failures.append(str(error))
            else:
                if answer.status_code not in TRY_AGAIN:
                    return str(json_of(answer, 201)["transfer_id"])
                self.failures.append(told(answer))
            assert time.monotonic() < deadline, f"not booked in time: {self.failures[-1]}"
            time.sleep(0.2)

    def order_and_die(self, order: Order, *, half_sent: bool) -> None:
        """Send an order, or half of it, and be gone before the answer, as a killed process is."""
        body = json.dumps(order.body).encode()
        target = urlsplit(self._gateway)
        headers = self._headers(TRANSFER, order.key) | {
            "Host": target.netloc,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"POST /transfers HTTP/1.1\r\n{head}\r\n".encode() + body
        with socket.create_connection((target.hostname, target.port), 20) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            connection.sendall(request[: -len(body) // 2] if half_sent else request)

    def _headers(self, scope: str, key: str = "") -> dict[str, str]:
        headers: dict[str, str] = {"Authorization": Secret(f"Bearer {self._tokens[scope]}")}
        return headers | ({"Idempotency-Key": key} if key else {})


@pytest.fixture
def bank(app: BankingApp, agent: Agent, deployment: Deployment) -> Iterator[Bank]:
    subject = app.sign_on(SAM, READ_BALANCE, TRANSFER).subject_token()
    tokens = {scope: agent.delegation_token(subject, scope) for scope in (READ_BALANCE, TRANSFER)}
    limits = httpx2.Limits(max_connections=CLIENTS)
    with httpx2.Client(timeout=PATIENCE_SECONDS, limits=limits) as http:
        yield Bank(deployment, tokens, http)


@pytest.fixture
def memo() -> str:
    """What the memos of this run begin with, so that a second run on the same stack counts its own."""
    return f"e2e-{secrets.token_hex(4)}-"


def orders_between(accounts: list[str], memo: str) -> list[Order]:
    """Return orders to and fro, each amount one cent more than the one before."""
    ways = itertools.cycle([(accounts[0], accounts[1]), (accounts[1], accounts[0])])
    return [Order(f"{memo}{n}", *way, amount_minor=n + 1) for n, way in zip(range(KEYS), ways, strict=False)]


def send_all(
    bank: Bank, orders: list[Order], on_receipt: Callable[[], None] = lambda: None
) -> dict[str, str]:
    """Send every order from several clients at once; return the transfer's id of each key.

    Fails when two clients get different receipts for one key.
    """
    chance = random.Random(8693)
    dying = [(order, True) for order in chance.sample(orders, DYING)]
    waiting = [(order, False) for order in orders + chance.sample(orders, CLIENTS - DYING - KEYS)]
    clients = chance.sample(dying + waiting, CLIENTS)
    begin = threading.Barrier(CLIENTS)

    def client(number: int) -> tuple[str, str] | None:
        order, dies = clients[number]
        begin.wait(30)
        if dies:
            bank.order_and_die(order, half_sent=number % 5 == 0)
            return None
        receipt = (order.key, bank.order_until_booked(order))
        on_receipt()
        return receipt

    with ThreadPoolExecutor(CLIENTS) as pool:
        receipts = [receipt for receipt in pool.map(client, range(CLIENTS)) if receipt]
    assert len(receipts) == CLIENTS - DYING
    assert len(set(receipts)) == len({key for key, _ in receipts}) == KEYS
    return dict(receipts)


def moved(orders: list[Order]) -> dict[str, int]:
    """Return what the orders change on each account, each executed once."""
    change: dict[str, int] = {}
    for order in orders:
        change[order.from_account] = change.get(order.from_account, 0) - order.amount_minor
        change[order.to] = change.get(order.to, 0) + order.amount_minor
    return change


def check_booked_once(
    stack: Stack, bank: Bank, orders: list[Order], before: dict[str, int], memo: str
) -> None:
    books = ledger(stack, memo)
    assert books.total == 0
    assert books.unbalanced == []
    assert books.booked == {order.key: 1 for order in orders}
    change = moved(orders)
    assert bank.balances() == {
        account: balance + change.get(account, 0) for account, balance in before.items()
    }


def test_two_hundred_concurrent_orders_with_repeats_and_dying_clients_are_each_booked_once(
    stack: Stack, bank: Bank, memo: str
) -> None:
    before = bank.balances()
    orders = orders_between(sorted(before), memo)
    receipts = send_all(bank, orders)
    check_booked_once(stack, bank, orders, before, memo)
    assert {order.key: bank.order_until_booked(order) for order in orders[:5]} == {
        order.key: receipts[order.key] for order in orders[:5]
    }


def test_killing_the_account_api_in_the_middle_loses_and_doubles_nothing(
    stoppable_stack: Stack, bank: Bank, memo: str
) -> None:
    before = bank.balances()
    orders = orders_between(sorted(before), memo)
    enough = threading.Semaphore(0)

    def kill_and_start() -> None:
        for _ in range(KILL_AFTER):
            assert enough.acquire(timeout=60)
        stoppable_stack.kill("account_api")
        stoppable_stack.start("account_api")

    with ThreadPoolExecutor(1) as operator:
        killing = operator.submit(kill_and_start)
        send_all(bank, orders, on_receipt=enough.release)
        killing.result()
    assert bank.failures, "the account API was killed when all was done already"
    check_booked_once(stoppable_stack, bank, orders, before, memo)


def test_a_key_that_stands_for_another_order_books_nothing(
    stack: Stack, bank: Bank, deployment: Deployment, memo: str
) -> None:
    before = bank.balances()
    paying, receiving, *_ = sorted(before)
    order = Order(f"{memo}same", paying, receiving, amount_minor=100)
    bank.order_until_booked(order)
    other = Order(order.key, paying, receiving, amount_minor=200)
    with pytest.raises(AssertionError, match="idempotency-key-reused"):
        bank.order_until_booked(other)
    check_booked_once(stack, bank, [order], before, memo)
