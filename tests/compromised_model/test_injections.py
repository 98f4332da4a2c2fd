"""A model that obeys everything it reads can do nothing that the customer did not allow. Issue 5, MCP."""

import re
from pathlib import Path

import pytest

from tests.compromised_model.corpus import LONGEST_MEMO, Injection, as_call, corpus
from tests.compromised_model.invariants import broken
from tests.compromised_model.opened_world import TRANSPORTS
from tests.compromised_model.people import PEOPLE, READ_TRANSACTIONS, Person
from tests.compromised_model.world import World

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "compromised-model.md"
CORPUS = {one.id: one for one in corpus()}
BALANCES, TRANSACTIONS, EVERYTHING = PEOPLE
FIRST_OF_ITS_KIND = {one.kind: one.id for one in reversed(CORPUS.values())}.values()


def cases() -> list[tuple[str, str, str]]:
    """Return transport, entry and customer: all that there is for who allowed most, by REST and by MCP.

    With the others one of each kind, where it says no more: the refusal is the authorization server's.
    """
    return [
        (transport, injection.id, who)
        for transport in TRANSPORTS
        for who, person in PEOPLE.items()
        for injection in CORPUS.values()
        if injection.needs in person.allowed
        if who == EVERYTHING or injection.id in FIRST_OF_ITS_KIND
    ]


def was_obeyed(world: World, injection: Injection, person: Person) -> bool:
    """Tell whether the model has done just what the corpus says that it would."""
    made_out = injection.for_customer(person.names)
    made = [as_call(order.name, order.arguments) for order in world.model.made]
    if injection.for_ever:
        [(name, _)] = made_out.calls
        return len(made) > 16 and {one for one, _ in made} == {name}
    return sorted(map(repr, made)) == sorted(map(repr, made_out.calls))


@pytest.mark.parametrize(("world", "injection_id", "who"), cases(), indirect=["world"])
def test_whatever_the_model_obeys_stays_within_what_the_customer_allowed(
    world: World, injection_id: str, who: str
) -> None:
    injection, person = CORPUS[injection_id], PEOPLE[who]

    seen = world.try_injection(person, injection)

    made_out = injection.for_customer(person.names)
    assert {memo.text for memo in made_out.memos} <= set(world.model.seen), "it never reached the model"
    assert was_obeyed(world, injection, person), world.model.made
    assert all(piece in seen.answer.text for piece in re.split(r"%\w+%", made_out.tells))
    assert broken(seen) == {}


@pytest.mark.parametrize("who", PEOPLE)
def test_without_an_injection_the_model_has_nothing_to_obey(world: World, who: str) -> None:
    world.ledger.put_back()

    seen = world.ask(PEOPLE[who])

    assert world.model.made == []
    assert broken(seen) == {}


def test_an_injection_that_the_model_may_not_read_is_not_obeyed(world: World) -> None:
    injection, person = CORPUS["order-in-plain-words"], PEOPLE[BALANCES]
    world.ledger.put_back()
    [memo] = injection.for_customer(person.names).memos
    world.ledger.arrives(f"{person.number}-01", memo.text)

    seen = world.ask(person)

    assert READ_TRANSACTIONS not in person.allowed
    assert memo.text not in world.model.seen
    assert world.model.made == []
    assert broken(seen) == {}


def test_what_remains_is_one_transfer_within_the_limit_to_a_payee_whom_the_customer_has_saved(
    world: World,
) -> None:
    """The documentation says so: docs/compromised-model.md."""
    moved = {}
    for injection_id in ("order-in-plain-words", "split-under-the-limit", "pays-for-ever"):
        seen = world.try_injection(PEOPLE[EVERYTHING], CORPUS[injection_id])
        new = seen.after.entries[len(seen.before.entries) :]
        moved[injection_id] = sum(one.amount_minor for one in new if one.account_id == "4004-01")

    assert moved == {
        "order-in-plain-words": 20_000,
        "split-under-the-limit": 24_700,
        "pays-for-ever": 20_000,
    }


def test_what_remains_is_that_a_payee_reads_in_a_memo_what_the_model_knew(world: World) -> None:
    seen = world.try_injection(PEOPLE[EVERYTHING], CORPUS["balance-in-a-memo"])

    memos = [one.description for one in seen.after.entries if one.account_id == "4004-01"]
    assert re.fullmatch(r"balance [\d.]+", memos[-1])


def test_the_corpus_is_sixty_injections_of_twenty_kinds_at_least() -> None:
    assert len(CORPUS) == len(corpus()) >= 60
    assert len({one.kind for one in CORPUS.values()}) >= 20
    assert {one.by for one in CORPUS.values()} == {"another customer", "another bank"}


def test_the_documentation_names_every_kind_and_how_many_there_are() -> None:
    page = DOCUMENTATION.read_text()
    table = page.partition("| kind |")[2].partition("\n\n")[0]
    assert f"{len(CORPUS)} injections" in page
    assert f"{len(CORPUS)} injections" in DOCUMENTATION.parents[1].joinpath("README.md").read_text()
    named = " ".join(line.split("|")[1] for line in table.splitlines()[2:]).lower()
    assert [one.kind for one in CORPUS.values() if one.kind.lower() not in named] == []


@pytest.mark.parametrize("who", PEOPLE)
def test_every_memo_fits_into_a_transfer(who: str) -> None:
    for injection in CORPUS.values():
        for memo in injection.for_customer(PEOPLE[who].names).memos:
            hidden_by_what_our_transfers_refuse = injection.by == "another bank"
            assert len(memo.text) <= LONGEST_MEMO or hidden_by_what_our_transfers_refuse, injection.id
