"""Recognises the lines that mail programs draw between a new text and an old one: markers and rules."""

from __future__ import annotations

import re
from typing import Final

from services.parser.quotes import headerblock, words
from shared.lazy_pattern import lazy_compile

MAX_MARKER: Final = 200
MAX_GROUPWISE: Final = 500
MAX_GAP: Final = 20
"""Most blank lines between a rule and the header block below it."""
DIRECTION: Final = lazy_compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
"""Marks of direction, which programs put around names and times of right-to-left texts."""
_DASHES: Final = "-_=*\u2010\u2013\u2014"
_ENDS: Final = (*_DASHES, "#", ":", "\uff1a")
_ORIGINAL: Final = lazy_compile(
    rf"[\s*]{{0,6}}(?:[{_DASHES}]{{3,40}}\s{{0,3}}(?:{words.ORIGINAL})\b.{{0,60}}"
    rf"|[{_DASHES}]{{1,2}}\s{{0,3}}(?:{words.ORIGINAL})\b.{{0,60}}[{_DASHES}:])\s{{0,9}}$",
    re.IGNORECASE,
)
_FORWARDED: Final = lazy_compile(
    rf"[\s*>]{{0,6}}(?:[{_DASHES}]{{2,40}}\s{{0,3}})?(?:{words.FORWARDED})\b"
    rf".{{0,80}}?(?:[{_DASHES}]{{2,40}}|[:\uff1a])\s{{0,3}}$",
    re.IGNORECASE,
)
_RULE: Final = lazy_compile(
    rf"[\s*]{{0,6}}(?:[-_=*─\u2014]{{5,200}}|-{{3,40}}[^-\n]{{3,60}}-{{3,40}}|(?:{words.ORIGINAL}))\s*$"
    r"|[^\n]{1,80}?\s-{3}\d{1,4}[./-][\d./ :-]{4,30}(?:[ap]m)?-{3}\S",  # Notes: "Ann" ---3.2.2020 10:00:00---Hello
    re.IGNORECASE,
)


def is_forward(line: str) -> bool:
    """`---------- Forwarded message ----------` in any language, or `Begin forwarded message:`."""
    return _may_be_marker(line) and bool(_FORWARDED.match(line))


def is_original(line: str) -> bool:
    """`-----Original Message-----` in any language."""
    begins = line.startswith("---") and len(line) < MAX_MARKER
    return (begins or _may_be_marker(line)) and bool(_ORIGINAL.match(line))


def is_groupwise(line: str) -> bool:
    """`>>> Ann <ann@example.com> 2/3/2020 10:00 AM >>>`, below which GroupWise marks nothing."""
    if not line.startswith(">>>") or len(line) > MAX_GROUPWISE or "@" not in line:
        return False
    return line[3:].lstrip()[:1] != ">" and line.rstrip().endswith((">>>", ":"))


def is_plain_rule(line: str) -> bool:
    """Whether a line is a rule that people draw too; Outlook draws underscores."""
    return not line.strip().strip("-=*─\u2014")


def old_mail_at(lines: list[str], number: int) -> int | None:
    """The line from which an unmarked old mail begins at `number`, including a rule above it; else None."""
    line = lines[number]
    if is_original(line) or (_may_be_marker(line) and words.REPLY_ABOVE.search(line)):
        return number
    if headerblock.at(lines, number) is None:
        return None
    return with_rule_above(lines, number)


def with_rule_above(lines: list[str], number: int) -> int:
    """The line of the rule above line `number`, at most `MAX_GAP` blank lines away, else that line itself."""
    above = next((n for n in range(number - 1, max(-1, number - 2 - MAX_GAP), -1) if lines[n].strip()), None)
    return number if above is None or not _RULE.match(lines[above][: MAX_MARKER + 10]) else above


def _may_be_marker(line: str) -> bool:
    """Whether a line is short and ends in a dash or a colon, as markers do. Cheap."""
    return 4 < len(line) < MAX_MARKER and line.rstrip()[-1:] in _ENDS
