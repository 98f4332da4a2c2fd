"""Whose objects a customer's agent can see (broken object level authorization)."""

import re
from typing import Final

from tests.e2e.check import check
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun
from tests.e2e.wire import Answer

_OF_THE_REQUEST: Final = frozenset(
    {"date", "decision-id", "record-id", "traceparent", "x-request-id", "content-length"}
)
_RANDOM: Final = re.compile(r"[0-9a-f]{16,}|[0-9a-f-]{36}")


@check("RS-68")
def anothers_and_none_look_the_same(target: Target) -> None:
    """Ask for an account of another customer and for one that nobody has; compare all that is answered."""
    resource, expect = target.resource, target.expect
    others, unknown = resource.read.another_customers_path, resource.read.unknown_path
    if not others or not unknown:
        raise NotRun("It takes resource.read.another_customers_path and resource.read.unknown_path.")
    token = resource.token()
    hers, nobodys = (
        resource.call(resource.read, token, path=others),
        resource.call(resource.read, token, path=unknown),
    )
    expect.denied(hers, "another customer's account", (403, 404))
    expect.denied(nobodys, "an account that does not exist", (403, 404))
    seen, wanted = _shown(hers, others), _shown(nobodys, unknown)
    expect.that("the answer for another's", f"to be that for none: {wanted}", seen, holds=seen == wanted)


def _shown(answer: Answer, path: str) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """Return status, body and headers without what names the path or is new with each request."""
    names = [part for part in path.split("/") if part]

    def neutral(text: str) -> str:
        text = _RANDOM.sub("*", text.replace(path, "*"))
        for name in names:
            text = text.replace(name, "*")
        return text

    headers = sorted(
        (n, neutral(v)) for n, v in answer.headers.multi_items() if n.lower() not in _OF_THE_REQUEST
    )
    return answer.status, neutral(answer.text), tuple(headers)
