"""What a gateway lets through to the backend, and when it lets nothing through."""

import json
import secrets
from typing import Final

from tests.e2e.check import check
from tests.e2e.target import Target
from tests.e2e.verdict import Failed, NotRun

_REFUSED: Final = range(400, 600)


@check("RS-64")
def identity_headers_do_not_get_through(target: Target) -> None:
    """Send each identity header, in small and capital letters, with a value of its own; look what arrived.

    Names with _ in place of - are sent where the target file has them: it is backends that confuse the two.
    """
    resource = target.resource
    assert resource.backend
    for name in resource.section.identity_headers:
        mark = f"forged-{secrets.token_hex(8)}"
        spellings = {name, name.lower(), name.upper()}
        headers = [(one, mark) for one in sorted(spellings)]
        answer = resource.call(resource.read, resource.token(), headers=headers)
        if not answer.is_success:
            continue  # refused as a whole: nothing got through
        arrived = [f"{one}: {value}" for one, value in resource.backend.last_headers() if mark in value]
        target.expect.that(f"{name} of the caller", "not to reach the backend", arrived, holds=not arrived)


@check("RS-69")
def without_keys_nothing_is_let_through(target: Target) -> None:
    """Send a good token to the instance that cannot reach its issuer's keys. Any refusal will do."""
    resource = target.resource
    answer = resource.call(resource.read, resource.token(), url=resource.section.keyless_url)
    if answer.status not in _REFUSED:
        raise Failed("a call to be refused while nothing can be verified", str(answer))


@check("RS-70")
def a_write_is_carried_out_once(target: Target) -> None:
    """Send the write operation twice with one key: the second answer is the first, and so is what it did.

    What it did is seen in the read operation, if its answer changes with the first write.
    """
    resource, expect = target.resource, target.expect
    write = resource.section.write
    if write is None:
        raise NotRun("It takes an operation that writes: [resource.write].")
    token = resource.token(write.scope)
    reading = resource.token()
    key = [(write.idempotency_header, secrets.token_urlsafe(16))]
    first = resource.call(write, token, headers=key)
    expect.accepted(first, "the first write")
    after_first = resource.call(resource.read, reading).json()
    second = resource.call(write, token, headers=key)
    expect.accepted(second, "the same write again")
    expect.that(
        "the second answer",
        f"to be the first: {_stable(first.json())}",
        _stable(second.json()),
        holds=_stable(first.json()) == _stable(second.json()),
    )
    after_second = resource.call(resource.read, reading).json()
    expect.that(
        "what is read after the second",
        f"to be {_stable(after_first)}",
        _stable(after_second),
        holds=_stable(after_first) == _stable(after_second),
    )


def _stable(body: dict[str, object]) -> str:
    """Return an answer without the moment at which it was given."""
    return json.dumps({name: value for name, value in body.items() if name != "as_of"}, sort_keys=True)
