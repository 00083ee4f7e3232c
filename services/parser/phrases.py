"""The phrases that mail systems use in subjects, reports and answers, by language.

The phrases are in `phrases.txt`: a new language or system is one more row there and no change anywhere else. They are
compiled once.
"""

from __future__ import annotations

import re
from typing import Final

from services.parser.tables import alternatives, any_in_lower, any_of, read
from shared.lazy_pattern import lazy_compile

_TABLES: Final = read(__file__)
_AWAY: Final = alternatives(_TABLES["away"])
_ABSENT: Final = alternatives(_TABLES["absent"])

BOUNCE_SUBJECT: Final = any_in_lower(_TABLES["bounce subject"])
"""What mail systems call a report about delivery; for subjects in lower case."""

MAIL_SYSTEM: Final = any_in_lower(_TABLES["mail system"])
"""How mail systems introduce themselves; for text in lower case."""

FAILURE: Final = any_in_lower(_TABLES["failure"])
"""What reports say of a mail that did not arrive; for text in lower case."""

AWAY_SUBJECT: Final = lazy_compile(
    rf"[\s*\[(!\-]{{0,6}}(?:{_AWAY})\s?(?:[\])]|[:\uff1a\-\u2013]|\(?re:)"
    rf"|auto: .{{0,80}}(?:{_AWAY}|{_ABSENT})|(?:yahoo!? )?auto[- ]?(?:response|reply)\s*$",
    re.IGNORECASE,
)
"""How mail servers begin the subject of an automatic answer: a set phrase and a colon, or in brackets."""

AUTOMATIC_TEXT: Final = any_in_lower(_TABLES["automatic text"])
"""How a machine's answer says at its beginning that no person wrote it; for text in lower case."""

ABSENCE_TEXT: Final = any_in_lower(_TABLES["absence text"])
"""How a person's automatic answer speaks of the absence; for text in lower case."""

ABSENT_SUBJECT: Final = lazy_compile(rf"\s*(?:{_ABSENT})\s?[:\uff1a]", re.IGNORECASE)
"""A word of absence and a colon. People write this too, so it counts only with the header of an answer."""

AWAY_WORDS: Final = lazy_compile(
    rf"{_AWAY}|{_ABSENT}|\baway\b|\bvacation\b|\burlaub\b|\bholiday\b|\bvacances\b|\bferie\b", re.IGNORECASE
)
"""Words of an absence; they count only when a header says that a machine wrote."""

RECEIPT_SUBJECT: Final = lazy_compile(rf"\s*(?:{alternatives(_TABLES['receipt'])})\s?(?:[:\uff1a]|$)", re.IGNORECASE)
"""The subject of a receipt that comes without its report part."""

CHALLENGE_SUBJECT: Final = any_of(_TABLES["challenge subject"])
"""A robot asks senders to prove that they are human."""

COMPLAINT_SUBJECT: Final = lazy_compile(
    r"\s*(?:complaint about message from|abuse (?:report|complaint)|spam report)\b", re.IGNORECASE
)
"""How providers without RFC 5965 begin the subject of an abuse report; the mail complained of is attached."""

GREETING: Final = lazy_compile(rf"\W{{0,10}}(?:{alternatives(_TABLES['greetings'])})\b", re.IGNORECASE)
"""How people begin a mail; mail systems do not write this."""

MYSELF: Final = lazy_compile(rf"\b(?:{alternatives(_TABLES['first persons'])})\b", re.IGNORECASE)
"""Words in the first person."""

MACHINE_SELF: Final = lazy_compile(
    r"\bi (?:am|was|have)(?: been)?(?: not)? (?:un)?able\b|\bi (?:am|have) (?:sorry|afraid|not going|given up|tried)"
    r"|\bi (?:tried to|could ?n.t|cannot|can.t) (?:deliver|send|connect|find)"
    r"|\bi (?:sent the message|am sending you this)|\bi'm (?:sorry|afraid)|\bi've given up"
    r"|\bwe (?:were|are|have been|tried)\b",
    re.IGNORECASE,
)
"""The first person of mail systems such as qmail."""
