"""The words around quotations, by language. The words are in `words.txt`: a language is one more row in each table."""

from __future__ import annotations

import re
from typing import Final

from services.parser.tables import alternatives, any_in_lower, any_of, literal, phrases, read
from shared.lazy_pattern import lazy_compile
from shared.subject_prefixes import without_prefixes

_TABLES: Final = read(__file__)

WROTE: Final = literal(_TABLES["wrote"])
"""Verbs that end an attribution."""

WROTE_INSIDE: Final = literal(_TABLES["wrote inside"])
"""Verbs between the date and the name, in either order."""

NAMING: Final = literal(_TABLES["naming"])
"""First words of an attribution without a verb: the name follows."""

OPENERS: Final = literal(_TABLES["openers"])
"""First words of an attribution that begins with its date."""

FIRST_PERSONS: Final = literal(_TABLES["first persons"])
"""Next to such a verb they mark the sender's own sentence."""

HEADER_KEYS: Final = {
    name.lower(): role
    for role in ("from", "sent", "to", "cc", "subject", "other")
    for name in phrases(_TABLES[f"field {role}"])
}
"""Field name as mail programs show it, lower case, to its role."""

ORIGINAL: Final = literal(_TABLES["original"])
"""Text between dashes above an answered mail."""

REPLY_ABOVE: Final = any_of(_TABLES["reply above"])
"""Text that service desks write above the mail to be answered."""

FORWARDED: Final = literal(_TABLES["forwarded"])
"""Text between dashes above a forwarded mail."""


def bare_subject(subject: str) -> str:
    """A subject as two are compared: without prefixes of answers and forwards, blanks folded, in lower case."""
    return " ".join(without_prefixes(subject[:1000]).lower().split())


_SAYS: Final = alternatives(_TABLES["answers"])
_WHERE: Final = alternatives(_TABLES["inside"])
_ANSWERS_INSIDE: Final = lazy_compile(
    rf"(?:{_SAYS})[^.!?\n]{{0,60}}?(?:{_WHERE})|(?:{_WHERE})[^.!?\n]{{0,40}}?(?:{_SAYS})"
    rf"|{alternatives(_TABLES['see below'])}"
)
_SIGNS: Final = (*phrases(_TABLES["answers"]), *phrases(_TABLES["below"]))
"""A text without one of these says nothing about answers. Cheap."""


def announces_answers(text: str) -> bool:
    """Whether a text says that answers stand inside the quoted mail."""
    lower = text.lower()
    return any(sign in lower for sign in _SIGNS) and bool(_ANSWERS_INSIDE.search(lower))


_MOBILE_LINE: Final = lazy_compile(rf"[\s<(\[*_]{{0,6}}(?:{alternatives(_TABLES['mobile'])})[\s>)\]*_.]{{0,6}}$")
_SENTENCE: Final = lazy_compile(r".{0,80}\b(?:is|are|was|were|has|have)\b")


def is_mobile(lower: str) -> bool:
    """Whether a line, in lower case, is one that a phone or a mail program adds below the text.

    With a verb of its own it is a sentence.
    """
    return bool(_MOBILE_LINE.match(lower)) and not _SENTENCE.match(lower)


DEVICE: Final = any_of(_TABLES["device"])
"""Words that identify such a line at any position."""

DISCLAIMER: Final = lazy_compile(rf"[\s*_>-]{{0,6}}(?:{alternatives(_TABLES['disclaimers'])})", re.IGNORECASE)
"""The first line of a legal notice."""

FOOTER: Final = any_in_lower(_TABLES["footer"])
"""Words of which a footer has at least one; for text in lower case."""
