"""What the console reads and changes, at the real authorization server, and how its failures are told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from banking_app.administration_client import AdministrationClient
from banking_app.agent_form import AgentForm, Faults
from banking_app.failures import Refused, ServiceDown, TokenRefused
from banking_app.rendering import render
from delegation.signing_key import SigningKey
from tests.auth_server.servers import ACCOUNT_API, AGENT, BALANCE, TRANSFER, AuthServer, running_server
from tests.clock import SetClock
from tests.jwks_server import JwksServer

NEW = "https://card-agent.example.com"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def auth_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthServer]:
    keys = [JwksServer([SigningKey.generate()]) for _ in range(2)]
    with keys[0].serving() as app_keys, keys[1].serving() as agent_keys:
        folder: Path = tmp_path_factory.mktemp("auth_server")
        with running_server(folder, app_keys, agent_keys, SetClock()) as server:
            yield server


@pytest.fixture(scope="module")
def client(auth_server: AuthServer) -> Iterator[AdministrationClient]:
    with httpx2.Client(verify=False) as http:
        yield AdministrationClient(f"{auth_server.url}/admin", http)


def token_of(auth_server: AuthServer, role: str) -> str:
    token: str = auth_server.staff_sign_on(auth_server.new_staff(role)).first["access_token"]
    return token


@pytest.fixture(scope="module")
def administrator(auth_server: AuthServer) -> str:
    return token_of(auth_server, "administrator")


def typed(**changed: Any) -> AgentForm:
    """Return a form filled in well; every field can be changed."""
    good: dict[str, Any] = {
        "agent_id": NEW,
        "name": "Card Assistant",
        "purpose": "Answers questions\nabout cards",
        "owner": "Cards, Example Bank",
        "owner_sub": "",
        "jwks_uri": f"{NEW}/jwks.json",
        "jwks": "",
        "audience": ACCOUNT_API,
        "scopes": [BALANCE],
        "max_seconds": 120,
        "largest_transfer": "",
        "customers": "",
        "groups": "",
        "draft": True,
        "reason": "",
    }
    return AgentForm(**good | changed)


def test_agents_are_listed_and_shown_with_their_history(
    client: AdministrationClient, administrator: str
) -> None:
    agent_ids = [agent.agent_id for agent in client.agents(administrator)]
    assert AGENT in agent_ids
    agent = client.agent(administrator, AGENT)
    assert (agent.state, set(agent.scopes)) == ("active", {ACCOUNT_API})
    assert agent.history[0].action == "register"


def test_a_long_history_is_read_page_by_page(client: AdministrationClient, administrator: str) -> None:
    agent_id = "https://long-history.example.com"
    client.register(administrator, typed(agent_id=agent_id).as_json() | {"draft": False})
    for _ in range(11):
        client.change_state(administrator, agent_id, "suspend", "to and fro")
        client.change_state(administrator, agent_id, "resume", "to and fro")
    agent = client.agent(administrator, agent_id)
    assert (len(agent.history), agent.earlier is None) == (20, False)
    assert client.history(administrator, agent, 0).history == agent.history
    whole = client.history(administrator, agent, 1)
    assert (len(whole.history), whole.earlier) == (23, None)
    assert (whole.history[0].action, whole.history[-1]) == ("register", agent.history[-1])
    assert client.history(administrator, agent, 2) == whole


def test_an_agent_is_suspended_and_resumed_with_a_reason(
    client: AdministrationClient, administrator: str
) -> None:
    suspended = client.change_state(administrator, AGENT, "suspend", HOSTILE)
    assert suspended.state == "suspended"
    assert (suspended.history[-1].action, suspended.history[-1].why) == ("suspend", HOSTILE)
    with pytest.raises(Refused, match="is suspended: suspend takes one that is active"):
        client.change_state(administrator, AGENT, "suspend", "again")
    assert client.change_state(administrator, AGENT, "resume", "mended").state == "active"


def test_grants_are_counted_listed_and_withdrawn(
    client: AdministrationClient, administrator: str, auth_server: AuthServer
) -> None:
    customer = auth_server.new_customer()
    auth_server.sign_on(customer)
    before = client.grants(administrator, AGENT)
    grant = next(one for one in before.grants if one.customer == customer)
    assert BALANCE in grant.scope.split()
    client.withdraw_grant(administrator, grant.grant_id, "the customer asked by telephone")
    after = client.grants(administrator, AGENT)
    assert after.numbers.in_force == before.numbers.in_force - 1
    assert customer not in [one.customer for one in after.grants]


def test_a_new_agent_is_registered_as_it_was_typed(client: AdministrationClient, administrator: str) -> None:
    form = typed(
        scopes=[BALANCE, TRANSFER],
        largest_transfer="250.50",
        customers="alex@example.com\n\n maria@example.com ",
        groups=" pilot\nstaff",
    )
    agent = client.register(administrator, form.as_json())
    assert (agent.agent_id, agent.state, agent.purpose) == (NEW, "draft", "Answers questions about cards")
    assert agent.scopes == {ACCOUNT_API: (BALANCE, TRANSFER)}
    assert (agent.max_transfer_minor, agent.max_seconds) == (25_050, 120)
    assert (agent.customers, agent.groups) == (("alex@example.com", "maria@example.com"), ("pilot", "staff"))
    page = " ".join(render("console_registered.html", agent=agent).split())
    assert "250.50 <small>in the account's currency" in page
    assert (
        "alex@example.com, maria@example.com; and customers in <code>pilot</code> <code>staff</code>" in page
    )


def test_an_agents_page_says_whom_it_may_act_for(client: AdministrationClient, administrator: str) -> None:
    agent = client.agent(administrator, AGENT)

    def page(**whom: tuple[str, ...]) -> str:
        return render("console_registered.html", agent=agent.model_copy(update=whom))

    assert "every customer who allows it" in page()
    only_group, only_customer = page(groups=("pilot",)), page(customers=("alex@example.com",))
    for limited in (only_group, only_customer):
        assert "every customer" not in limited
        assert "; and" not in limited
    assert "customers in <code>pilot</code>" in only_group
    assert "<dd>alex@example.com</dd>" in only_customer


@pytest.mark.parametrize("as_set", [False, True])
def test_pasted_keys_are_taken_as_a_key_or_as_a_set(
    client: AdministrationClient, administrator: str, *, as_set: bool
) -> None:
    key = SigningKey.generate()
    text = json.dumps({"keys": [key.public_jwk]} if as_set else key.public_jwk)
    form = typed(agent_id=f"https://pasted-{as_set}.example.com", jwks_uri="", jwks=text)
    assert client.register(administrator, form.as_json()).kids == (key.kid,)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"agent_id": "http://not-https.example.com"}, "agent_id: must be an https URL"),
        ({"owner_sub": "nobody@example.com"}, "owner_sub: must be a member of staff"),
        ({"agent_id": AGENT}, "is registered already"),
        ({"jwks_uri": "", "jwks": '{"kty": "EC", "d": "x"}'}, "this is a private key"),
    ],
)
def test_faults_that_the_api_finds_are_told_in_its_words(
    client: AdministrationClient, administrator: str, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused) as refused:
        client.register(administrator, typed(**changed).as_json())
    assert said in refused.value.detail


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"agent_id": " ", "name": ""}, ("Identifier is missing.", "Name is missing.")),
        ({"scopes": []}, ("Choose at least one permission.",)),
        ({"jwks_uri": ""}, ("Give either the address of its keys or the keys themselves.",)),
        ({"jwks_uri": "", "jwks": "{"}, ("The keys are no JSON: paste a JWK or a JWK set.",)),
        ({"jwks_uri": "", "jwks": "[1]"}, ("The keys are neither a JWK nor a JWK set.",)),
        *(
            ({"largest_transfer": text}, ("The largest transfer must be an amount above zero, like 250.00.",))
            for text in ("0", "-1", "1.005", "a lot", "1e400", "NaN", "Infinity")
        ),
    ],
)
def test_faults_of_the_form_are_told_before_anything_is_sent(
    changed: dict[str, Any], said: tuple[str, ...]
) -> None:
    with pytest.raises(Faults) as faults:
        typed(**changed).as_json()
    assert faults.value.said == said


def test_an_auditor_who_tries_a_change_anyway_is_refused_in_words(
    client: AdministrationClient, auth_server: AuthServer
) -> None:
    auditor = token_of(auth_server, "auditor")
    assert client.agents(auditor)
    with pytest.raises(Refused):
        client.change_state(auditor, AGENT, "suspend", "the auditor tries")
    assert client.agent(auditor, AGENT).state == "active"


def test_another_owners_agent_looks_like_none(client: AdministrationClient, auth_server: AuthServer) -> None:
    owner = token_of(auth_server, "owner")
    assert client.agents(owner) == []
    with pytest.raises(Refused, match="There is no such agent"):
        client.agent(owner, AGENT)


def test_a_customers_token_opens_nothing(client: AdministrationClient, auth_server: AuthServer) -> None:
    customer = auth_server.sign_on(auth_server.new_customer()).token_for(auth_server.settings.issuer)
    with pytest.raises(Refused):
        client.agents(customer)
    with pytest.raises(TokenRefused):
        client.agents("not a token")


def test_an_owner_is_offered_to_resume_what_an_owner_suspended_and_otherwise_told_who_can(
    client: AdministrationClient, auth_server: AuthServer, administrator: str
) -> None:
    owner, agent_id = token_of(auth_server, "owner"), "https://held-agent.example.com"
    client.register(owner, typed(agent_id=agent_id, draft=False).as_json())
    for who, offered in ((owner, ("resume", "retire")), (administrator, ("retire",))):
        agent = client.change_state(who, agent_id, "suspend", "the test")
        assert agent.transitions_for("owner") == offered
        assert agent.transitions_for("administrator") == ("resume", "retire")
        told = "Only an administrator lets it go on" in render(
            "console_agent.html", agent=agent, may_write=True, role="owner"
        )
        assert told == ("resume" not in offered)
        client.change_state(administrator, agent_id, "resume", "the test")
    client.change_state(administrator, agent_id, "suspend", "the test")
    with pytest.raises(Refused) as refused:
        client.change_state(owner, agent_id, "resume", "it was mended")
    assert "ask an administrator" in refused.value.detail


def test_an_authorization_server_that_is_down_is_told(administrator: str) -> None:
    with httpx2.Client(verify=False) as http, pytest.raises(ServiceDown) as down:
        AdministrationClient("http://127.0.0.1:1/admin", http).agents(administrator)
    assert administrator not in f"{down.value.detail} {down.value.hint}"
    assert "authorization server" in down.value.hint


def test_what_others_wrote_is_text_on_every_page_of_the_console(
    client: AdministrationClient, administrator: str
) -> None:
    form = typed(agent_id="https://hostile.example.com", name=HOSTILE, purpose=HOSTILE, owner=HOSTILE)
    client.register(administrator, form.as_json())
    client.change_state(administrator, "https://hostile.example.com", "retire", HOSTILE)
    agent = client.agent(administrator, "https://hostile.example.com")
    pages: dict[str, dict[str, Any]] = {
        "console_agents.html": {"agents": [agent], "chosen": "all", "role": "owner"},
        "console_agent.html": {"agent": agent, "may_write": True, "role": "owner"},
        "console_registered.html": {"agent": agent},
        "console_history.html": {"history": agent.history, "more": False},
        "confirm_transition.html": {"agent": agent, "transition": "retire"},
        "console_registered_now.html": {"agent": agent},
        "console_fault.html": {"faults": [HOSTILE]},
        "console_done.html": {"done": HOSTILE},
    }
    for template, values in pages.items():
        page = render(template, **values)
        assert "&lt;script&gt;" in page, template
        assert "<script" not in page, template
        assert "<img" not in page, template
