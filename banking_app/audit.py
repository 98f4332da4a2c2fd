"""The app's own records: steps 1 and 2 of the documented flow."""

from typing import Final

from banking_app.settings import Settings
from delegation.record import Decision, Record, print_record

_SERVICE: Final = "banking_app"


class Audit:
    """Prints one record per decision. A question's text is never part of it."""

    def __init__(self, settings: Settings) -> None:
        self._client_id = settings.client_id
        self._agent_id = settings.agent_id

    def sign_on(self, decision: Decision, reason: str, sub: str | None = None) -> None:
        """Step 1: somebody came back from the authorization server."""
        self._print(1, "sign_on", decision, reason, sub)

    def sign_out(self, sub: str, reason: str) -> None:
        """Step 1: a customer left."""
        self._print(1, "sign_out", "permit", reason, sub)

    def question(self, decision: Decision, reason: str, sub: str) -> None:
        """Step 2: a question was handed to the assistant with the subject token, or was not."""
        self._print(2, "ask_assistant", decision, reason, sub, (self._agent_id,))

    def _print(
        self,
        step: int,
        operation: str,
        decision: Decision,
        reason: str,
        sub: str | None,
        aud: tuple[str, ...] = (),
    ) -> None:
        print_record(
            Record(
                service=_SERVICE,
                step=step,
                decision=decision,
                reason=reason,
                operation=operation,
                sub=sub,
                client_id=self._client_id,
                aud=aud,
            )
        )
