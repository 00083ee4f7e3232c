"""Cuts what mail programs and companies add below the text: signatures, phone lines, legal notices.

Conservative, because a remaining signature does less harm than a lost sentence. Sign-offs (`Regards, Ann`)
are the sender's words and are kept.
"""

from __future__ import annotations

import re
from typing import Final

from services.parser.quotes import words
from shared.lazy_pattern import lazy_compile
from shared.text import UNSEEN

MAX_SIGNATURE_LINES: Final = 40
MAX_FOOTER_LINES: Final = 30
MAX_PHONE_LINE: Final = 160
MAX_RULE: Final = 500
_DELIMITER: Final = lazy_compile(r"\s{0,3}(?:--|\u2014\u2014|\u2013\u2013|-- -)\s*$")
_LISTED: Final = lazy_compile(r"\s{0,9}(?:\d{1,2}[.)]|[*\u2022-]) \S|\s{0,3}--\s*$")
"""An item of a list, or one more such line; signatures have neither."""
_PS: Final = lazy_compile(r"\s{0,3}P\.?\s?[SD]\.?\s?[:.\-\u2013]\s*\S", re.IGNORECASE)
_RULE: Final = lazy_compile(r"\s{0,3}(?:[-_=*~#]\s?){3,}\s*$")


def trimmed(lines: list[str]) -> list[str]:
    """`lines` without the signature at their end; blank lines at both ends removed."""
    kept = _without_phone_lines(_without_delimited(lines))
    return _stripped(_without_disclaimer(_stripped(kept)))


def _stripped(lines: list[str]) -> list[str]:
    first, last = 0, len(lines)
    while first < last and not lines[first].strip(UNSEEN):
        first += 1
    while last > first and not lines[last - 1].strip(UNSEEN):
        last -= 1
    return [*lines[first : last - 1], _without_mark(lines[last - 1])] if first < last else []


def _without_mark(line: str) -> str:
    """The line without marks at its end, if a blank stands before them: in some scripts they are letters."""
    text = line.rstrip(UNSEEN)
    return text if line[len(text) : len(text) + 1].isspace() else line


def _without_delimited(lines: list[str]) -> list[str]:
    """Up to the first signature delimiter (RFC 3676 section 4.3) that a short rest follows."""
    for number in range(max(0, len(lines) - MAX_SIGNATURE_LINES), len(lines)):
        line = lines[number]
        if line[:1] not in " -_=*~#\u2014\u2013\t" or len(line) > MAX_RULE or not line.strip():
            continue
        if _DELIMITER.match(line) and _may_be_signature(lines, number):
            return [*_stripped(lines[:number]), *_postscript(lines[number + 1 :])]
        if _RULE.match(line) and _is_footer(lines[number + 1 :]):
            return lines[:number]
    return lines


def _postscript(signature: list[str]) -> list[str]:
    """What follows `PS:` below a signature, a blank line before it; nothing without one."""
    start = next((number for number, line in enumerate(signature) if _PS.match(line)), None)
    return [] if start is None else ["", *signature[start:]]


def _may_be_signature(lines: list[str], number: int) -> bool:
    """Whether a delimiter may begin a signature: people also draw `--` below a heading, and between paragraphs.

    The exact delimiter of RFC 3676, which mail programs write, always does.
    """
    if lines[number] == "-- ":
        return True
    above, rest = lines[number - 1].rstrip() if number else "", lines[number + 1 :]
    return not above.endswith((":", "\uff1a")) and not any(_LISTED.match(line) for line in rest)


def _is_footer(rest: list[str]) -> bool:
    text = "\n".join(rest[:MAX_FOOTER_LINES])[:4000]
    return len(rest) <= MAX_FOOTER_LINES and (not text.strip() or bool(words.FOOTER.search(text.lower())))


def _without_phone_lines(lines: list[str]) -> list[str]:
    """Without the lines that phones add: at the end, or anywhere when they name a device."""
    phone = {
        n for n, line in enumerate(lines) if len(line) < MAX_PHONE_LINE and words.is_mobile(line.strip(UNSEEN).lower())
    }
    if not phone:
        return lines
    last = max((n for n, line in enumerate(lines) if line.strip() and n not in phone), default=-1)
    return [line for n, line in enumerate(lines) if not (n in phone and (n > last or words.DEVICE.search(line)))]


def _without_disclaimer(lines: list[str]) -> list[str]:
    """Return the lines above a legal notice that begins a paragraph; never an empty list."""
    for number in range(1, len(lines)):
        if not lines[number - 1].strip() and lines[number].strip() and words.DISCLAIMER.match(_opening(lines, number)):
            return lines[:number]
    return lines


def _opening(lines: list[str], number: int) -> str:
    return " ".join(line.strip() for line in lines[number : number + 3])[:400]
