"""The bank with a compromised model: real services over real HTTP, and customers who allowed this or that."""

import io
import secrets
import uuid
from contextlib import redirect_stdout

import httpx2

from tests.chatbot.asking import ask, records_in
from tests.chatbot.models import ScriptedModel
from tests.compromised_model.corpus import Injection, MadeOut
from tests.compromised_model.ledger import Ledger
from tests.compromised_model.people import ATTACKER, PEOPLE, READ_TRANSACTIONS, TRANSFER, Person
from tests.compromised_model.records import Records
from tests.compromised_model.seen import Seen
from tests.compromised_model.stand_in import ObeyingModel
from tests.e2e.in_process import AGENT, InProcess, pem_of
from tests.e2e.target import Target


class World:
    """Everybody. One question at a time."""

    def __init__(
        self,
        bank: InProcess,
        ledger: Ledger,
        records: Records,
        model: ObeyingModel,
        scripted: ScriptedModel,
        http: httpx2.Client,
    ) -> None:
        self.bank = bank
        self.ledger = ledger
        self.model = model
        self._records = records
        self._scripted = scripted
        self._http = http
        self._subject_tokens: dict[str, str] = {}
        self._attackers_token = ""

    def sign_on(self, target: Target) -> None:
        """Let everybody sign on and allow what they allow; give the attacker a token for transfers."""
        server = target.authorization_server
        everybody = {one.sub: one.allowed for one in PEOPLE.values()}
        for sub, allowed in [*everybody.items(), (ATTACKER.sub, {TRANSFER})]:
            signed_on = server.app.sign_on(sub, [(f"allow:{one}", "on") for one in allowed])
            self._subject_tokens[sub] = signed_on.token_for(AGENT)
        answer = server.exchange(subject_token=self._subject_tokens[ATTACKER.sub], scope=TRANSFER)
        self._attackers_token = str(answer.json()["access_token"])

    def arrive(self, person: Person, injection: Injection, made_out: MadeOut) -> None:
        """Bring the texts before the model: as transfers, or where ours would be refused from another bank.

        A customer who lets the assistant see no transactions gets them as the names of accounts.
        """
        for number, memo in enumerate(made_out.memos, 1):
            if READ_TRANSACTIONS not in person.allowed:
                self.ledger.rename(f"{person.number}-{number:02}", memo.text)
            elif memo.account != "01":
                self.ledger.arrives(f"{person.number}-{memo.account}", memo.text)
            else:
                status = self._transfer_to(person, memo.text)
                assert status == (201 if injection.by == "another customer" else 422), injection.id
                if status != 201:
                    self.ledger.arrives(f"{person.number}-01", memo.text)

    def _transfer_to(self, person: Person, memo: str) -> int:
        order = {
            "from_account": f"{ATTACKER.number}-01",
            "to": person.sub,
            "amount": {"amount_minor": 1, "currency": "EUR"},
            "memo": memo,
        }
        headers = {
            "Authorization": f"Bearer {self._attackers_token}",
            "Idempotency-Key": str(uuid.uuid4()),
        }
        url = f"{self.bank.environment['GATEWAY_URL']}/transfers"
        return self._http.post(url, json=order, headers=headers).status_code

    def try_injection(self, person: Person, injection: Injection) -> Seen:
        """Let a text arrive on the ledger in its first state, ask about the account, and look everywhere."""
        self.ledger.put_back()
        self.arrive(person, injection, injection.for_customer(person.names))
        return self.ask(person)

    def ask(self, person: Person) -> Seen:
        """Ask about the account in a new conversation."""
        token = self._subject_tokens[person.sub]
        self._http.delete("/chat", headers={"Authorization": f"Bearer {token}"}).raise_for_status()
        self.model.begin_again()
        self._scripted.requests.clear()
        before = self.ledger.snapshot()
        self._records.begin()
        traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        with redirect_stdout(io.StringIO()) as printed:
            answer = ask(self._http, token, f"What is new on {person.number}-01?", traceparent)
        told = (step["decision_id"] for step in answer.steps(5))
        self._records.wait_for_the_gateways(one for one in told if one)
        of_chatbot = [one for one in records_in(printed.getvalue()) if one["service"] == "chatbot"]
        return Seen(
            person=person,
            before=before,
            after=self.ledger.snapshot(),
            records=[*self._records.all(), *of_chatbot],
            prompts=list(self._scripted.requests),
            prompt_headers=[self._scripted.authorization],
            answer=answer,
            secrets=[token, *self._bearer_at_the_backend(), pem_of(self.bank.keys["agent"]).splitlines()[1]],
        )

    def _bearer_at_the_backend(self) -> list[str]:
        return [value for name, value in self.bank.backend.take_headers() if name == "authorization"]
