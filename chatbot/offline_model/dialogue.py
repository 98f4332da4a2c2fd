"""The next message of the model: what it does with a conversation as it stands."""

from collections.abc import Sequence

from chatbot.offline_model.activity_answers import answer_activity
from chatbot.offline_model.balance_answers import answer_balance, answer_list, answer_no_such
from chatbot.offline_model.failures import told
from chatbot.offline_model.intents import (
    Activity,
    Balance,
    Context,
    Intent,
    ListAccounts,
    NoSuchAccount,
    Remark,
    Say,
    Transfer,
)
from chatbot.offline_model.knowledge import Knowledge, ToolCall, ToolFailed, ToolMissing, ToolsNeeded
from chatbot.offline_model.sentence import Sentence
from chatbot.offline_model.transcript import Transcript
from chatbot.offline_model.transfer_answers import answer_transfer
from chatbot.offline_model.understanding import understand


def next_message(transcript: Transcript) -> str | Sequence[ToolCall]:
    """Return the answer in words, or the tools to call first.

    The model keeps no state: each turn of the conversation is thought through again, in order, with what
    was known at that time, so that "yes" or "and my savings?" find what they refer to.
    """
    context = Context()
    outcome: Say | Sequence[ToolCall] = Say("", context)
    for number, turn in enumerate(transcript.turns, 1):
        knowledge = Knowledge(transcript.turns[:number], transcript.tools)
        intent = understand(
            Sentence.read(turn.question), context, knowledge.known_accounts(), transcript.today
        )
        outcome = _outcome(intent, context, knowledge)
        context = outcome.context if isinstance(outcome, Say) else Context(context.task)
    return outcome.text if isinstance(outcome, Say) else outcome


def _outcome(intent: Intent, before: Context, knowledge: Knowledge) -> Say | Sequence[ToolCall]:
    """Return what to do about one intent; a failed tool is told as it is."""
    task = intent if isinstance(intent, Balance | Activity | Transfer) else before.task
    try:
        return _say(intent, before, knowledge)
    except ToolsNeeded as needed:
        return needed.calls
    except ToolMissing:
        return Say("I have not been given what I need to do that.", Context(task))
    except ToolFailed as failure:
        return Say(told(failure), Context(task))


def _say(intent: Intent, before: Context, knowledge: Knowledge) -> Say:
    match intent:
        case Remark():
            return Say(intent.text, Context(before.task))
        case ListAccounts():
            return Say(answer_list(knowledge), Context(Balance()))
        case NoSuchAccount():
            return Say(answer_no_such(intent, knowledge), Context(before.task))
        case Balance():
            return Say(answer_balance(intent, knowledge), Context(intent))
        case Activity():
            return Say(answer_activity(intent, knowledge), Context(intent))
        case Transfer():
            return answer_transfer(intent, knowledge)
