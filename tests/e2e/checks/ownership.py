"""Whose objects a customer's agent can see (broken object level authorization)."""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.e2e.check import check
from tests.e2e.target import Target
from tests.e2e.target_file import OperationFile
from tests.e2e.verdict import NotRun
from tests.e2e.wire import Answer

_TELLING: Final = ("Allow", "Cache-Control", "Content-Type", "Location", "WWW-Authenticate")
"""Headers whose values are compared; of all others it is only asked whether they are there."""


@check("RS-68")
def anothers_and_none_look_the_same(target: Target) -> None:
    """Ask for an account of another customer and for one that nobody has, and compare the answers.

    Each is asked for twice: what differs then is new with every request and tells nothing. How long an answer
    takes is not compared.
    """
    resource, expect = target.resource, target.expect
    others, unknown = resource.read.of_another_customer, resource.read.of_nobody
    if not others or not unknown:
        raise NotRun(
            "It takes another_customers_path and unknown_path in [resource.read], and for its tool "
            "another_customers_arguments and unknown_arguments."
        )
    shown = []
    for what, call in (("another customer's account", others), ("an account that does not exist", unknown)):
        answers = [resource.call(call, resource.token()) for _ in range(2)]
        for answer in answers:
            expect.denied(answer, what, (403, 404))
        shown.append(_steady(*(_shown(answer, call) for answer in answers)))
    anothers, nobodys = shown
    told = sorted(name for name in anothers | nobodys if anothers.get(name) != nobodys.get(name))
    said, wanted = ({name: one.get(name) for name in told} for one in shown)
    expect.that("the answer for another's", f"to be that for none: {wanted}", said, holds=not told)


def _shown(answer: Answer, call: OperationFile) -> dict[str, str]:
    """Return what an answer tells, without what names the call."""
    told = {f"header {name.lower()}": "is there" for name in answer.headers}
    told |= {f"header {n.lower()}": answer.headers[n] for n in _TELLING if n in answer.headers}
    told |= dict(_members("body", answer.json() or answer.text)) | {"status": str(answer.status)}
    return {name: _neutral(value, call) for name, value in told.items()}


def _members(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Return every text, number and list in a JSON value by its name."""
    if isinstance(value, dict):
        for member, one in value.items():
            yield from _members(f"{name}.{member}", one)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)


def _neutral(text: str, call: OperationFile) -> str:
    named = [one for one in (call.arguments or {}).values() if isinstance(one, str) and one]
    for part in (call.path, *filter(None, call.path.split("/")), *named):
        text = text.replace(part, "*")
    return text


def _steady(first: dict[str, str], second: dict[str, str]) -> dict[str, str]:
    """Return what two answers to one question have in common; of the rest, its name only."""
    return {name: value if second.get(name) == value else "new each time" for name, value in first.items()}
