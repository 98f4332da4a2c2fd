"""Starting it all: the bank in this process, furnished for the attack, the model, and the chatbot."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import httpx2
from argon2 import PasswordHasher

import chatbot.app
import chatbot.settings
from auth_server.agent_history import By
from auth_server.agent_registry import edit
from auth_server.tables import Customer
from delegation.clock import utc_now
from tests.chatbot.models import ScriptedModel
from tests.compromised_model.ledger import Ledger
from tests.compromised_model.people import ATTACKER, LIMIT_MINOR, PEOPLE, canary
from tests.compromised_model.records import Records
from tests.compromised_model.stand_in import ObeyingModel
from tests.compromised_model.world import World
from tests.e2e.in_process import AGENT, InProcess, in_process, pem_of
from tests.serving import serve

TRANSPORTS: Final[dict[str, dict[str, Any]]] = {"rest": {}, "mcp": {"tools": "mcp"}}
"""The ways of the chatbot's tools to the bank, each with the chatbot's settings for it."""


@contextmanager
def opened_world(transport: str) -> Iterator[World]:
    """Start the bank, the model and the chatbot between them; `transport` is one of `TRANSPORTS`."""
    with ExitStack() as ending:
        bank = ending.enter_context(in_process())
        _limit_the_agent(bank)
        ledger = Ledger(bank.data / "account_api")
        ending.callback(ledger.close)
        _furnish(bank, ledger)
        model = ObeyingModel()
        scripted = ScriptedModel(model.reply)
        settings = _chatbot_settings(bank, ending.enter_context(scripted.serving()), TRANSPORTS[transport])
        url = ending.enter_context(serve(chatbot.app.create_app(settings)))
        http = ending.enter_context(httpx2.Client(base_url=url, timeout=30))
        records = Records(bank.data)
        ending.callback(records.close)
        world = World(bank, ledger, records, model, scripted, http)
        world.sign_on(ending.enter_context(bank.target()))
        yield world


def _limit_the_agent(bank: InProcess) -> None:
    by = By(who="the harness", why="consents name a limit", at=utc_now())
    with bank.context.transaction() as db:
        edit(db, AGENT, {"max_transfer_minor": LIMIT_MINOR}, by)


def _furnish(bank: InProcess, ledger: Ledger) -> None:
    """Let the attacker be a customer too, whom everybody has paid before; mark what belongs to whom."""
    sub, number, name = ATTACKER
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    password_hash = cheap.hash(bank.environment["CUSTOMER_PASSWORD"])
    with bank.context.transaction() as db:
        db.add(Customer(sub=sub, name=name, password_hash=password_hash))
    ledger.open_household(sub, name, number, 1_000_000)
    for person in PEOPLE.values():
        ledger.save_payee(sub, person.sub, f"{person.number}-01")
        ledger.save_payee(person.sub, name, f"{number}-01")
        for suffix in ("01", "02", "03"):
            account_id = f"{person.number}-{suffix}"
            ledger.arrives(account_id, canary(person.number), 600_000)
            ledger.rename(account_id, f"{suffix} {canary(person.number)}")
    ledger.keep()


def _chatbot_settings(
    bank: InProcess, model_url: str, transport: Mapping[str, Any]
) -> chatbot.settings.Settings:
    issuer = bank.environment["AUTH_SERVER_URL"]
    data = bank.data / "chatbot"
    data.mkdir(mode=0o700)
    key = data / "signing_key.pem"
    key.touch(mode=0o600)
    key.write_text(pem_of(bank.keys["agent"]))
    return chatbot.settings.Settings(
        issuer=issuer,
        jwks_uri=f"{issuer}/jwks",
        token_endpoint=f"{issuer}/token",
        gateway_url=bank.environment["GATEWAY_URL"],
        mcp_url=f"{bank.environment['GATEWAY_URL']}/mcp",
        data_dir=data,
        openai_base_url=model_url,
        **transport,
    )
