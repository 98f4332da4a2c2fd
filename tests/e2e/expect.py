"""What a check expects of answers. A wrong error code is noted, and does not end the check."""

import re
from collections.abc import Callable
from typing import Any, Final

import httpx2

from tests.e2e.verdict import Failed, UnsoundRun
from tests.e2e.wire import Answer

_REFUSALS: Final = range(400, 500)
_CHALLENGE_ITEM: Final = re.compile(
    r"(?P<name>[\w!#$%&'*+.^`|~-]+)"
    r'(?:\s*=\s*(?:"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<bare>[^\s,"]+)))?'
)


class Expectations:
    """The expectations of one check, and the refusals whose error code was another than the text names."""

    def __init__(self, requests: Callable[[], int] = lambda: 0) -> None:
        self.wrong_codes: list[Failed] = []
        self.first_wrong_request = 0
        """How many requests the check had made when it met the first wrong code."""
        self._requests = requests

    def refused(
        self,
        answer: Answer,
        what: str,
        error: str | tuple[str, ...] = (),
        status: int | tuple[int, ...] = 400,
    ) -> None:
        """Expect that the authorization server refuses (RFC 6749 §5.2); `what` says what was sent.

        Args:
            answer: the answer.
            what: what had to be refused, for the report.
            error: the error code that the text names, or several that it allows; empty: any.
            status: the status that goes with it, or several that the text allows.

        Raises:
            Failed: it was accepted, or the server broke down over it.
        """
        codes = (error,) if isinstance(error, str) else error
        statuses = (status,) if isinstance(status, int) else status
        wanted = f"{what} to be refused" + (f" as {' or '.join(codes)}" if codes else "")
        _check_rate(answer)
        if answer.status not in _REFUSALS or "access_token" in answer.json():
            raise Failed(wanted, str(answer))
        if codes and (answer.json().get("error") not in codes or answer.status not in statuses):
            allowed = " or ".join(map(str, statuses))
            self.note(Failed(f"{wanted} ({allowed})", str(answer)))

    def denied(self, answer: Answer, what: str, status: int | tuple[int, ...] = 401, error: str = "") -> None:
        """Expect that a protected resource refuses (RFC 6750 §3.1).

        Args:
            answer: the answer.
            what: what had to be refused, for the report.
            status: the status that the text names, or several that it allows.
            error: the error code in `WWW-Authenticate` that goes with it; empty: any or none.

        Raises:
            Failed: it was served, or the resource broke down over it.
        """
        statuses = (status,) if isinstance(status, int) else status
        wanted = f"{what} to be refused with {' or '.join(map(str, statuses))} {error}".rstrip()
        _check_rate(answer)
        if answer.status not in _REFUSALS:
            raise Failed(wanted, str(answer))
        if answer.status not in statuses or (error and challenge(answer).get("error") != error):
            self.note(Failed(wanted, str(answer)))

    def accepted(self, answer: Answer, what: str) -> None:
        """Expect success.

        Raises:
            Failed: the answer is no success.
        """
        self.that(what, "to be accepted", str(answer), holds=answer.is_success)

    def that(self, what: str, expected: str, actual: Any, *, holds: bool) -> None:
        """Expect a fact.

        Raises:
            Failed: it does not hold.
        """
        if not holds:
            raise Failed(f"{what} {expected}", str(actual))

    def note(self, wrong: Failed) -> None:
        """Note a wrong code; the check goes on."""
        if not self.wrong_codes:
            self.first_wrong_request = self._requests()
        self.wrong_codes.append(wrong)


def _check_rate(answer: Answer) -> None:
    """See that a refusal is not one of every request.

    Raises:
        UnsoundRun: the target limits how often it is asked.
    """
    if answer.status == httpx2.codes.TOO_MANY_REQUESTS:
        raise UnsoundRun("the target limits the rate of requests (429): ask more slowly, with --rate")


def challenge(answer: Answer) -> dict[str, str]:
    """Return the parameters of the answer's Bearer challenge (RFC 9110 §11.6.1), its scheme as `scheme`.

    Several challenges may stand in one header line, and Bearer need not be the first.
    """
    found: dict[str, str] = {}
    for item in _CHALLENGE_ITEM.finditer(", ".join(answer.headers.get_list("WWW-Authenticate"))):
        name, value = item["name"], item["bare"] if item["quoted"] is None else item["quoted"]
        if value is not None:
            found |= {name.lower(): re.sub(r"\\(.)", r"\1", value)} if found else {}
        elif found:
            break
        elif name.lower() == "bearer":
            found["scheme"] = name
    return found
