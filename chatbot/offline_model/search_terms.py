"""What transactions are to be about: "at Lidl", "Netflix payments", "my rent"."""

import re

from chatbot.offline_model.phrases import alternatives, patterns
from chatbot.offline_model.sentence import Sentence


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
    if re.fullmatch(alternatives("part.subject"), " ".join(words)):
        return True
    no_subject = alternatives("term.no_subject")
    return not any(re.fullmatch(no_subject, word) for word in (words[0], words[-1]))
