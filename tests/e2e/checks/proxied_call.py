"""What a gateway lets through to the backend, and when it lets nothing through."""

import secrets
from collections.abc import Iterator
from typing import Final

from tests.e2e.check import check
from tests.e2e.target import Target
from tests.e2e.verdict import Failed, NotRun

_REFUSED: Final = range(400, 600)


@check("RS-64")
def identity_headers_do_not_get_through(target: Target) -> None:
    """Send each identity header, in small and capital letters, with a value of its own; look what arrived.

    A call that is refused counts too where it reached the backend.

    Names with _ in place of - are sent where the target file has them: it is backends that confuse the two.
    """
    resource, got_through = target.resource, False
    assert resource.backend
    for name in resource.section.identity_headers:
        mark = f"forged-{secrets.token_hex(8)}"
        spellings = {name, name.lower(), name.upper()}
        headers = [(one, mark) for one in sorted(spellings)]
        resource.backend.take_headers()
        answer = resource.call(resource.read, resource.token(), headers=headers)
        seen = resource.backend.take_headers()
        if answer.status >= 500:
            raise Failed(f"a call with the header {name} to be served or refused", str(answer))
        if answer.is_success and not seen:
            raise NotRun("It takes a gateway that passes its calls to the address in backend.listen.")
        got_through = got_through or bool(seen)
        arrived = [f"{one}: {value}" for one, value in seen if mark in value]
        target.expect.that(f"{name} of the caller", "not to reach the backend", arrived, holds=not arrived)
    if not got_through:
        raise NotRun("It takes a gateway that passes calls with such headers on; all were refused.")


@check("RS-69")
def without_keys_nothing_is_let_through(target: Target) -> None:
    """Send a good token to the instance that cannot reach its issuer's keys. Any refusal will do."""
    resource = target.resource
    answer = resource.call(resource.read, resource.token(), url=resource.section.keyless_url)
    if answer.status not in _REFUSED:
        raise Failed("a call to be refused while nothing can be verified", str(answer))


@check("RS-70")
def a_write_is_carried_out_once(target: Target) -> None:
    """Send the write operation twice with one key: it is done once, and the second answer is the first.

    What it did is seen in the numbers that the read operation answers, if some change with the first write. A
    repeat that is refused is no second write. Two at the same moment are not tried.
    """
    resource, expect = target.resource, target.expect
    write = resource.section.write
    if write is None:
        raise NotRun("It takes an operation that writes: [resource.write].")
    try:
        token = resource.token(write.scope)
    except Failed as refused:
        raise NotRun(
            f"It takes a token with {write.scope}: [minting]. The server: {refused.actual}."
        ) from None
    key = secrets.token_urlsafe(16)
    before = _numbers(target)
    first = resource.call(write, token, idempotency_key=key)
    if not first.is_success:
        raise NotRun(f"It takes a write that is accepted; [resource.write] is answered {first}.")
    between = _numbers(target)
    if all(before[name] == between[name] for name in before.keys() & between.keys()):
        raise NotRun("It takes a read operation whose answer has a number that [resource.write] changes.")
    second = resource.call(write, token, idempotency_key=key)
    after = _numbers(target)
    for name in before.keys() & between.keys() & after.keys():
        effect = between[name] - before[name]
        once = not effect or after[name] - between[name] != effect
        expect.that(name, f"to be changed by {effect} once", f"{effect} again", holds=once)
    if second.is_success:
        same = (second.status, second.json()) == (first.status, first.json())
        expect.that("the second answer", f"to be the first: {first.text}", second.text, holds=same)
    else:
        expect.denied(second, "the repeated write", (400, 409, 422))


def _numbers(target: Target) -> dict[str, float]:
    """Return the numbers that the read operation answers, by their place."""
    answer = target.resource.call(target.resource.read, target.resource.token())
    return dict(_numbers_in("the answer to the read operation", answer.json()))


def _numbers_in(place: str, value: object) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict | list):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _numbers_in(f"{place}, {name}", one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place, value
