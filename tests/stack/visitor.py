"""A person at the bank's pages: signs on, asks, looks under the hood, withdraws, leaves."""

import re
from typing import Final, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.stack.chromium import RESULTS
from tests.stack.deployment import Deployment
from tests.stack.secrets_seen import SecretsSeen
from tests.stack.waiting import until

_STEPS: Final = 6
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_MISTAKE: Final = re.compile(
    r"Traceback|Exception|\.py\b|Error:|KeyError|Internal Server Error", re.IGNORECASE
)
"""What no page may show to a customer."""
_APPEARANCES: Final[dict[str, tuple[Literal["light", "dark"], int | None]]] = {
    "light": ("light", None),
    "dark": ("dark", None),
    "phone": ("light", 390),
}
"""The color scheme and the width in pixels; none: as the window is."""


class Visitor:
    """One browser window. `complaints` are what its developer tools would show in red."""

    def __init__(self, page: Page, deployment: Deployment, seen: SecretsSeen) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._deployment = deployment
        self._seen = seen
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error.message}"))
        page.on("requestfailed", lambda request: self._complain(request.url, request.failure))
        page.on(
            "response",
            lambda answer: self._complain(answer.url, str(answer.status)) if answer.status >= 400 else None,
        )

    def open(self, path: str = "/") -> None:
        """Open one of the banking app's pages."""
        self.page.goto(f"{self._deployment.banking_app}{path}")

    def give_password(self, customer: str, password: str) -> None:
        """Fill in and send the sign-on page."""
        self.page.get_by_label("User name").fill(customer)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign on").click()

    def allow(self, *permissions: str) -> None:
        """Tick just these permissions on the consent page and send it."""
        for box in self.page.get_by_role("checkbox").all():
            box.set_checked((box.get_attribute("name") or "").removeprefix("allow:") in permissions)
        self.page.get_by_role("button", name="Allow what is ticked").click()

    def sign_on(self, customer: str, *permissions: str) -> None:
        """Sign on, allowing the assistant just these permissions whatever it had before."""
        self.open("/login?consent=1")
        self.give_password(customer, self._deployment.password)
        self.allow(*permissions)
        self.expect_signed_on()

    def sign_on_as_staff(self, sub: str) -> None:
        """Sign on as a member of staff, who is asked for no consent, and land in the console."""
        self.open("/login")
        self.give_password(sub, self.password)
        self.expect_signed_on()
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Console")

    @property
    def password(self) -> str:
        """Return the password of everybody in the demo."""
        return self._deployment.password

    def expect_signed_on(self) -> None:
        """Wait for the page of a signed-on customer; note what the browser holds."""
        expect(self.page.get_by_role("link", name="Sign out")).to_be_visible()
        for cookie in self.page.context.cookies():
            if cookie.get("httpOnly") and cookie.get("value"):
                self._seen.secret(str(cookie["value"]))

    def new_tab(self) -> "Visitor":
        """Open another tab of the same browser."""
        return Visitor(self.page.context.new_page(), self._deployment, self._seen)

    def ask(self, question: str) -> "Answer":
        """Ask the assistant, and return its answer when it is complete."""
        if not self.page.url.endswith("/assistant"):
            self.open("/assistant")
        before = self.begin_to_ask(question)
        expect(self.answers()).to_have_count(before + 1, timeout=60_000)
        return Answer(self.answers().nth(before))

    def begin_to_ask(self, question: str) -> int:
        """Send a question from the assistant's page; return how many answers it showed before."""
        expect(self._input()).to_be_enabled()
        before = self.answers().count()
        self._input().fill(question)
        self._input().press("Enter")
        return before

    def answers(self) -> Locator:
        """Return the assistant's complete answers on the page: what it said, and what happened for it."""
        said = self.page.get_by_test_id("stChatMessage")
        return said.filter(has=self.page.locator("details.all"))

    def withdraw(self) -> None:
        """Withdraw what the assistant may do, on the page for it."""
        self.open("/permissions")
        self.page.get_by_role("button", name="Withdraw this permission").click()
        self.page.get_by_role("button", name="Yes, withdraw it").click()
        expect(self.page.get_by_role("status")).to_contain_text("Withdrawn")

    def sign_out(self) -> None:
        """Leave."""
        self.page.get_by_role("link", name="Sign out").click()
        expect(self.page.get_by_role("link", name="Sign on")).to_be_visible()

    def trouble(self) -> "Trouble":
        """Return the last failure that the page tells of, as soon as it tells of one."""
        told = self.page.locator(".trouble").last
        expect(told).to_be_visible()
        return Trouble(told.inner_text())

    def expect_no_mistake(self) -> None:
        """Fail if the page shows what is for a log."""
        expect(self.page.get_by_test_id("stException")).to_have_count(0)
        expect(self.page.locator("body")).not_to_contain_text(_MISTAKE)

    def screenshot(self, name: str) -> None:
        """Leave a picture of the whole page in the results folder."""
        size = self.page.viewport_size
        assert size
        # Streamlit scrolls inside the window, so the window grows to hold what there is to see.
        hidden = self.page.evaluate(
            "Math.max(...[...document.querySelectorAll('*')]"
            ".filter(part => part === document.documentElement"
            " || ['auto', 'scroll'].includes(getComputedStyle(part).overflowY))"
            ".map(part => part.scrollHeight - part.clientHeight))"
        )
        self.page.set_viewport_size({"width": size["width"], "height": size["height"] + int(hidden)})
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=RESULTS / f"{name}.png", animations="disabled")
        self.page.set_viewport_size(size)

    def look(self, name: str) -> None:
        """Leave pictures of the page by day, by night and on a phone; none may show a mistake or be cut off."""
        size = self.page.viewport_size
        assert size
        self.expect_no_mistake()
        for appearance, (scheme, width) in _APPEARANCES.items():
            self.page.emulate_media(color_scheme=scheme)
            self.page.set_viewport_size({"width": width or size["width"], "height": size["height"]})
            self.expect_nothing_cut_off()
            self.screenshot(f"{appearance}-{name}")
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(size)

    def _fits(self) -> bool:
        overflow = self.page.evaluate(
            "[document.documentElement, ...document.querySelectorAll('main, .stMain')]"
            ".map(part => part.scrollWidth - part.clientWidth)"
        )
        assert len(overflow) > 1, f"{self.page.url} has no main part"
        assert max(overflow) <= 0, f"{self.page.url} is {max(overflow)} pixels wider than the window"
        return True

    def expect_nothing_cut_off(self) -> None:
        """Fail if a reader would have to scroll sideways."""
        until(self._fits, "the page is as wide as its window", 10)

    def _complain(self, url: str, what: str | None) -> None:
        # Only the path: the query of a callback is a secret.
        self.complaints.append(f"{urlsplit(url).path}: {what}")

    def _input(self) -> Locator:
        return self.page.get_by_placeholder("Ask about your accounts")


class Trouble:
    """A failure as a page tells it: to the customer, and as a hint to the trainer."""

    def __init__(self, text: str) -> None:
        self.for_the_customer, _, self.for_the_trainer = text.partition("Hint for the trainer.")


class Answer:
    """One answer of the assistant, with what is under the hood of it."""

    def __init__(self, message: Locator) -> None:
        self._message = message

    @property
    def text(self) -> str:
        """Return what the assistant said."""
        return self._message.locator(".said").inner_text()

    @property
    def hints(self) -> list[str]:
        """Return the hints for the trainer under what the assistant said."""
        hints = self._message.locator("p.hint:not(.hood *, .trouble *)").all_inner_texts()
        assert all(hint.startswith("Hint for the trainer.") for hint in hints)
        return [hint.removeprefix("Hint for the trainer.").strip() for hint in hints]

    @property
    def states(self) -> list[str]:
        """Return the state of each of the six steps: permit, deny, failed, done, spared or waiting."""
        items = self._message.locator(".strip > li")
        expect(items).to_have_count(_STEPS)
        return [item.get_attribute("class") or "" for item in items.all()]

    @property
    def trace_id(self) -> str:
        """Return the question's trace id."""
        found = _TRACE_ID.search(self._message.locator(".trace").text_content() or "")
        assert found, "the page shows no trace id"
        return found.group()

    def open_hood(self) -> None:
        """Open what happened, and every step in it."""
        for folded in self._message.locator("details.all, details.step").all():
            if folded.get_attribute("open") is None:
                folded.locator("> summary").click()

    def step(self, number: int) -> Locator:
        """Return the first card of a step."""
        exactly = re.compile(rf"^{number}$")
        return (
            self._message.locator("details.step")
            .filter(has=self._message.page.locator("summary > .num", has_text=exactly))
            .first
        )

    def claims(self, number: int) -> dict[str, str]:
        """Return the claims that a step points out: sub, act, aud, scope, exp and the like."""
        lines = self.step(number).locator("dl.claims > .told")
        return {line.locator("dt").inner_text(): line.locator("dd").inner_text() for line in lines.all()}
