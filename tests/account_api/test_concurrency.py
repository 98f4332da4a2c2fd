"""Shows that concurrent transfers neither run twice nor overdraw, whatever happens to their clients."""

import asyncio
import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2

from tests.account_api.banks import Bank, open_bank, transfer_order
from tests.issuer import TestIssuer

REQUESTS, KEYS, KILLED = 200, 80, 50
_DEATHS = ("closed", "aborted", "half sent")


async def order_all(bank: Bank, keys: list[str], killed: set[int]) -> list[httpx2.Response]:
    """Send one order for each key at once; the clients with these numbers die after they have sent theirs."""
    token = bank.issuer.delegation_token("account:transfer")
    async with httpx2.AsyncClient(base_url=bank.url, limits=httpx2.Limits(), timeout=60) as http:

        async def order(number: int, key: str) -> httpx2.Response | None:
            body = transfer_order(memo=key)
            if number in killed:
                await send_and_die(bank.url, token, key, json.dumps(body), _DEATHS[number % len(_DEATHS)])
                return None
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
            return await http.post("/transfers", json=body, headers=headers)

        answers = await asyncio.gather(*(order(number, key) for number, key in enumerate(keys)))
    return [answer for answer in answers if answer is not None]


async def send_and_die(url: str, token: str, key: str, body: str, death: str) -> None:
    """Send an order, or half of it, and break the connection without waiting for its answer."""
    address = httpx2.URL(url)
    _, writer = await asyncio.open_connection(address.host, address.port)
    head = (
        "POST /transfers HTTP/1.1\r\nHost: bank\r\n"
        f"Authorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    sent = (head + body).encode()
    writer.write(sent[:-20] if death == "half sent" else sent)
    await writer.drain()
    if death == "closed":
        writer.close()
    else:
        writer.transport.abort()


def test_of_200_concurrent_transfers_with_repeated_keys_and_killed_clients_each_key_books_once(
    bank: Bank,
) -> None:
    dice = random.Random(1)
    keys = [f"load-{number % KEYS}" for number in range(REQUESTS)]
    dice.shuffle(keys)
    before = bank.ledger.balance("4001-01")
    answers = asyncio.run(order_all(bank, keys, set(dice.sample(range(REQUESTS), KILLED))))
    assert Counter(answer.status_code for answer in answers) == {201: REQUESTS - KILLED}
    # A client that died asks again, as it should: by now every key has been ordered.
    repeats = [bank.transfer(key, memo=key) for key in sorted(set(keys))]
    assert {answer.status_code for answer in repeats} == {201}
    booked = bank.ledger.booked()
    assert {booked[key] for key in keys} == {1}
    assert bank.ledger.balance("4001-01") == before - 100 * KEYS
    assert bank.ledger.unbalanced_transactions() == []
    receipts = {answer.json()["transfer_id"] for answer in [*answers, *repeats]}
    assert len(receipts) == KEYS


def test_concurrent_transfers_never_overdraw_together(bank: Bank) -> None:
    available = bank.ledger.balance("4001-02")
    amount = available // 5 - 1
    with ThreadPoolExecutor(20) as pool:
        orders = [
            pool.submit(bank.transfer, f"race-{number}", from_account="4001-02", amount=amount)
            for number in range(20)
        ]
    statuses = Counter(order.result().status_code for order in orders)
    assert statuses == {201: 5, 422: 15}
    assert bank.ledger.balance("4001-02") == available - 5 * amount


def test_transfers_that_cross_do_not_wait_for_each_other(bank: Bank) -> None:
    marias = bank.issuer.delegation_token("account:transfer", sub="maria@example.com")
    before = bank.ledger.balance("4001-01"), bank.ledger.balance("4002-01")

    def pay(number: int) -> int:
        if number % 2:
            return bank.transfer(f"there-{number}").status_code
        order = {"from_account": "4002-01", "to": "Alex Morgan"}
        return bank.transfer(f"back-{number}", marias, **order).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(pay, range(40))) == {201}
    assert (bank.ledger.balance("4001-01"), bank.ledger.balance("4002-01")) == before


def test_two_services_on_one_database_seed_it_once_and_share_its_keys(
    database_url: str, issuer: TestIssuer
) -> None:
    with open_bank(database_url, issuer) as one, open_bank(database_url, issuer) as other:
        before = one.ledger.balance("4001-01")
        with ThreadPoolExecutor(16) as pool:
            orders = [
                pool.submit(bank.transfer, f"shared-{number}", memo="two services")
                for number in range(20)
                for bank in (one, other)
            ]
            reads = [pool.submit(bank.get, "/accounts") for _ in range(20) for bank in (one, other)]
        assert {read.result().status_code for read in reads} == {200}
        assert {order.result().status_code for order in orders} == {201}
        assert one.ledger.booked()["two services"] == 20
        assert one.balance("4001-01") == other.balance("4001-01") == before - 2_000
        assert one.ledger.unbalanced_transactions() == []
