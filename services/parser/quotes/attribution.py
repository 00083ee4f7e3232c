"""Recognises the line before a quotation: who wrote what follows, and when.

Programs wrap it over up to four lines and write it in the user's language. Only lines that end like one are
examined; the start is then searched upwards, so that the sender's own line above it is kept.
"""

from __future__ import annotations

import re
from typing import Final

from services.parser.quotes import words
from shared.lazy_pattern import lazy_compile

MAX_LINES: Final = 4
MAX_LENGTH: Final = 600
MAX_NAME: Final = 120
LONGEST_VERB: Final = 40

_TAIL: Final = " \t:\uff1a-\u2010\u2013\u2014*_>\xa0"
_ENDS: Final = (":", "\uff1a", "-", "*", "\u2010", "wrote", "写道", "寫道")
_VERB_END: Final = lazy_compile(rf"(?:^|[\s>)\]\"'\u201d,;\d日分님이)]|(?<=[\u3040-\u9fff]))(?:{words.WROTE})$")
_VERB_INSIDE: Final = lazy_compile(rf"(?:^|[\s>)])(?:{words.WROTE_INSIDE})\s")
_WROTE_AT: Final = lazy_compile(rf"\s(?:{words.WROTE_INSIDE})\s\(?(?:\w{{1,4}}\s)?\d")
_NAMING: Final = lazy_compile(rf"[\W_]{{0,4}}(?:{words.NAMING})\s")
_OWN: Final = lazy_compile(
    rf"\b(?:{words.FIRST_PERSONS})\s(?:(?:{words.WROTE})$|(?:{words.WROTE_INSIDE})\s)"
    rf"|\b(?:{words.WROTE_INSIDE})\s(?:{words.FIRST_PERSONS})\b"
)
_DIGIT: Final = lazy_compile(r"\d")
_CLOCK: Final = lazy_compile(r"\d{1,2}[:.h時时시]\s?\d{2}")
_DATE: Final = lazy_compile(
    r"\d{1,2}[:.h時时시]\s?\d{2}|\b\d{4}\b|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d\s?[年月日년월일]"
    r"|\b\d{1,2}\.?\s\w{3,10}\b|\b\w{3,10}\s\d{1,2}\b"
)
_ADDRESS: Final = lazy_compile(r"[^\s<>@]@[\w.-]", re.ASCII)
_ENDS_IN_ADDRESS: Final = lazy_compile(
    r"@[\w.-]{1,200}[>)\]\s'\"]{0,6}(?:<mailto:[^>\s]{1,200}>{1,2})?[>)\]\s]{0,4}$|&gt;$"
)
_OPENER: Final = lazy_compile(
    rf"[\W_]{{0,8}}(?:(?:{words.OPENERS})\s.{{0,24}}?\d|\d{{1,4}}\W|\w{{2,14}}\.?,?\s\d{{1,2}}\b)", re.IGNORECASE
)
_BARE: Final = lazy_compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:\s\d{1,2}:\d{2}(?:\s?(?:GMT|UTC)?[+-]\d{1,2}:?\d{2}))?"
    r"\s[^\n@<>]{1,80}(?:<[^<>\s@]{1,80}@[\w.-]{1,200}>)?$"
)


def closes_bracket(line: str) -> bool:
    """Whether a line may be `> wrote:`, whose bracket was opened at the end of the line above."""
    return len(line) < MAX_NAME and line.endswith(_ENDS)


def start_of(lines: list[str], end: int, *, quote_follows: bool) -> int | None:
    """The first line of the attribution that ends at line `end`; None when that line is not its end."""
    tail = lines[end].rstrip()
    if _is_bare(tail):
        return end
    if not tail.endswith(_ENDS):
        return None
    named, is_sure = None, False
    for start in range(end, max(-1, end - MAX_LINES), -1):
        if not lines[start].strip() or (lines[start].lstrip().startswith(">") and not _is_wrapped(lines, start)):
            break
        joined = " ".join(line.strip() for line in lines[start : end + 1])
        if len(joined) > MAX_LENGTH:
            break
        if _is_attribution(joined, quote_follows=quote_follows):
            if _OPENER.match(joined):
                return start
            sure = _is_dated(joined.lower()) or _is_addressed(joined.lower())
            if named is None or (sure and not is_sure):  # a verb may have wrapped onto a line of its own
                named, is_sure = start, sure
    return named if named is None else _with_name(lines, named)


def is_certain(lines: list[str], start: int, end: int) -> bool:
    """Whether an attribution has all of verb, date and address, so that the sender did not write it."""
    core = " ".join(line.strip() for line in lines[start : end + 1]).rstrip(_TAIL).lower()
    has_verb = _VERB_END.search(core, max(0, len(core) - LONGEST_VERB)) or _VERB_INSIDE.search(core)
    return bool(has_verb) and _is_dated(core) and _is_addressed(core)


def _is_wrapped(lines: list[str], number: int) -> bool:
    """Whether the bracket that begins a line closes one that the line above leaves open."""
    above = lines[number - 1] if number else ""
    return above.rfind("<") > above.rfind(">") and not above.lstrip().startswith(">")


def _with_name(lines: list[str], start: int) -> int:
    """Include the line above if the attribution begins with an address, because it has the name."""
    above = lines[start - 1].strip() if start and lines[start].lstrip().startswith("<") else ""
    return start - 1 if above and len(above) < MAX_NAME and above[-1] not in ".!?:,;>" else start


def _is_bare(line: str) -> bool:
    """Whether the line has the form of old Gmail and some webmails, without a colon: `2013/7/20 Name <address>`."""
    if line[:1] not in ("1", "2") or len(line) > MAX_LENGTH or not _BARE.match(line):
        return False
    return "<" in line or "GMT" in line or "UTC" in line


def _is_attribution(joined: str, *, quote_follows: bool) -> bool:
    core = joined.rstrip(_TAIL).lower()
    return _is_announcement(joined, core, quote_follows=quote_follows) and (quote_follows or not _OWN.search(core))


def _is_announcement(joined: str, core: str, *, quote_follows: bool) -> bool:
    dated, addressed = _is_dated(core), _is_addressed(core)
    if _VERB_END.search(core, max(0, len(core) - LONGEST_VERB)):
        return dated or addressed or (quote_follows and len(core) < MAX_NAME)
    if not _announces(joined):
        return False
    if _NAMING.match(core):
        return addressed and (dated or quote_follows)
    if not dated:
        return False
    clocked = bool(_CLOCK.search(core))
    if _VERB_INSIDE.search(core):
        return addressed or bool(_OPENER.match(core)) or (clocked and bool(_WROTE_AT.search(core)))
    if not addressed:
        return False
    return (quote_follows and clocked) or _ends_in_address(joined)


def _is_dated(lower: str) -> bool:
    return bool(_DIGIT.search(lower) and _DATE.search(lower))


def _is_addressed(lower: str) -> bool:
    return bool(_ADDRESS.search(lower)) or "&lt;" in lower


def _announces(joined: str) -> bool:
    """Whether the line ends in a colon, or is enclosed in dashes."""
    line = joined.rstrip()
    return line.endswith((":", "\uff1a")) or (line.startswith("--") and line.endswith("--"))


def _ends_in_address(joined: str) -> bool:
    """Whether the line only has a date near the beginning and an address at the end."""
    line = joined.rstrip(" :\uff1a\xa0")
    return bool(_ENDS_IN_ADDRESS.search(line) and _DATE.search(line[:100]))
