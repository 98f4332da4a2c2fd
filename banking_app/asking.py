"""One question to the assistant, from the click to the last record. Screens only draw what this yields."""

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, assert_never

from banking_app.audit import Audit
from banking_app.chat_client import MAX_QUESTION, ChatClient
from banking_app.chat_events import ChatError, ChatEvent, Done, Step, Text
from banking_app.conversations import Conversations, Trouble, Turn
from banking_app.failures import AssistantStopped, Failure, PermissionMissing, ServiceDown
from banking_app.grants_client import GrantsClient
from banking_app.records_client import RecordsClient
from banking_app.session_store import Session
from banking_app.tokens import SessionTokens
from delegation.clock import Clock
from delegation.trace import start_trace

_MAX_STEPS: Final = 200
_MAX_ANSWER: Final = 20_000


@dataclass(frozen=True)
class Assistant:
    """Asks for a customer, and keeps what was said and what happened."""

    tokens: SessionTokens
    chat: ChatClient
    grants: GrantsClient
    agent_id: str
    auth_records: RecordsClient
    account_records: RecordsClient
    conversations: Conversations
    audit: Audit
    clock: Clock

    def ask(self, session_id: str, session: Session, question: str) -> Generator[Turn, None, None]:
        """Yield the turn again each time it has grown; never raises `Failure`, but says it in the turn.

        Every question is one new trace. What there is of the turn is kept, even when nobody reads to the end.
        """
        trace = start_trace()
        turn = Turn(
            question=_shown(question),
            asked_at=self.clock(),
            trace_id=trace.trace_id,
            sign_on=dict(session.id_token_claims),
        )
        try:
            yield turn
            for event in self._events(session_id, session.sub, question):
                turn = grown(turn, event)
                yield turn
            refused = any(step.step == 4 and step.decision == "deny" for step in turn.steps)
            if refused and not turn.trouble and (stopped := self._stopped(session_id)):
                turn = grown(turn, stopped)
            turn = self._with_records(turn, session_id)
            yield turn
        finally:
            self.conversations.add(session.sub, turn)

    def forget(self, session_id: str, sub: str) -> None:
        """Forget the conversation, here and at the chatbot.

        Raises:
            Failure: it could not be forgotten there; then it is kept here too.
        """
        with suppress(PermissionMissing):  # without permission the chatbot holds nothing that it could reach
            self.chat.forget(self.tokens.subject_token(session_id))
        self.conversations.forget(sub)

    def end_delegation(self, session_id: str) -> None:
        """After a withdrawal: make the chatbot drop the delegation tokens that it still holds.

        Where it does not answer they end by themselves, within 300 seconds; no new one is issued meanwhile.
        """
        with suppress(Failure):
            self.chat.forget(self.tokens.subject_token(session_id))

    def _events(self, session_id: str, sub: str, question: str) -> Iterator[ChatEvent | Failure]:
        handed_over = done = False
        try:
            for event in self.chat.ask(self.tokens.subject_token(session_id), question):
                if not handed_over:
                    self.audit.question("permit", "handed to the chatbot with the subject token", sub)
                handed_over, done = True, isinstance(event, Done)
                yield event
            if not done:
                raise ServiceDown("chatbot", "The answer is not complete.", "ended its answer too early")
        except Failure as error:
            failure = (isinstance(error, PermissionMissing) and self._stopped(session_id)) or error
            if not handed_over:
                self.audit.question("deny", f"not handed over: {failure.title.lower()}", sub)
            yield failure

    def _stopped(self, session_id: str) -> AssistantStopped | None:
        """Return that the bank has stopped the assistant, if that is why it gets no token.

        Whether the customer allows it something or not, to offer consent would lead nowhere. Unknown where
        the authorization server does not show grants.
        """
        if not self.grants.offered:
            return None
        try:
            token = self.tokens.issuer_token(session_id)
            agent = self.grants.grants_and_agent(token, self.agent_id).agent
        except Failure:
            return None
        if agent is None or not agent.is_stopped:
            return None
        return AssistantStopped(agent.id, str(agent.state))

    def _with_records(self, turn: Turn, session_id: str) -> Turn:
        sources: dict[str, tuple[RecordsClient, Callable[[str], str]]] = {
            "auth_server": (self.auth_records, self.tokens.issuer_token),
            "account_api": (self.account_records, self.tokens.app_token),
        }
        records, lacking = [], []
        for name, (client, token) in sources.items():
            try:
                records += client.of_trace(token(session_id), turn.trace_id) if client.offered else []
            except Failure:
                lacking.append(name)
        return turn.model_copy(update={"records": tuple(records), "records_lacking": tuple(lacking)})


def grown(turn: Turn, event: ChatEvent | Failure) -> Turn:
    """Return the turn with what this event adds to it."""
    match event:
        case Step():
            return turn.model_copy(update={"steps": (*turn.steps, event)[:_MAX_STEPS]})
        case Text():
            return turn.model_copy(update={"answer": (turn.answer + event.delta)[:_MAX_ANSWER]})
        case ChatError():
            trouble = Trouble(title=event.title, detail=event.detail, hint=event.hint)
            return turn.model_copy(update={"trouble": trouble})
        case Failure():
            return turn.model_copy(update={"trouble": trouble_of(event)})
        case Done():
            return turn
        case _:
            assert_never(event)


def _shown(question: str) -> str:
    """Return what is kept of a question: all of one that can be asked."""
    return question if len(question) <= MAX_QUESTION else f"{question[:MAX_QUESTION]} …"


def trouble_of(failure: Failure) -> Trouble:
    """Return a failure in the form that is kept with the turn."""
    return Trouble(title=failure.title, detail=failure.detail, hint=failure.hint, way_on=failure.way_on)
