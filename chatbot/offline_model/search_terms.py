"""What transactions are to be about, from the words of a question: "at Lidl", "Netflix payments", "my rent"."""

from typing import Final

from chatbot.offline_model.phrases import patterns
from chatbot.offline_model.sentence import Sentence

_NO_SUBJECT: Final = frozenset(
    """
    i me my you your it its them these those that this all any some total sum each every everything anything nothing money much
    many most more far now date average account accounts bank show list see give tell get what which when where how were was
    are is do did have has last latest recent newest past previous first top biggest largest highest expensive other another
    new old older the a an of on in out to from at for and or single incoming outgoing own whole entire less than over under
    above below around about between period month week year day time days weeks months years category categories paid pay spent
    spend please just also only us home general common card euro euros find check display look up want like need can could there
    here his her their through with by breakdown summary overview thing things
    """.split()
)
"""Words that a term neither begins nor ends with."""


def find_term(sentence: Sentence, *, alone: bool = False) -> str | None:
    """Return what the transactions must be about, as typed but in lower case; None for any.

    With `alone` the sentence may be nothing but that, as in "and Netflix?".
    """
    for pattern in (*patterns("term.found"), *(patterns("term.alone") if alone else ())):
        for match in pattern.finditer(sentence.text):
            if _is_subject(match["term"].split()):
                return sentence.typed(*match.span("term")).lower()
    return None


def _is_subject(words: list[str]) -> bool:
    return not any(
        word in _NO_SUBJECT or _NOUN.fullmatch(word) or word.isdigit() for word in (words[0], words[-1])
    )
