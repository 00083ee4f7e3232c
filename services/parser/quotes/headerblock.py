"""Recognises the fields of a quoted mail that Outlook and its relatives write above it, in any language.

A block is a run of lines like `From: ... Sent: ... To: ... Subject: ...`, bold marks and wrapped values allowed.
A person's own list (`From: Berlin, To: Paris`) does not count: a sender field and a subject or an address are required.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from services.parser.quotes.words import HEADER_KEYS, bare_subject
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

MAX_LINES: Final = 24
FEWEST_FIELDS, MOST_FIELDS = 3, 8
"""Fields of a block whose names no table has."""
_FIELD: Final = lazy_compile(r"[\s*_|>\u200e\u200f]{0,16}([^\W\d_][^:\uff1a<>@\n]{0,24}?)[\s*_\xa0]{0,6}[:\uff1a]")
_TIME: Final = lazy_compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{2,4},?\s{1,3}\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:\s?[AaPp][Mm])?")


@dataclass(frozen=True, slots=True)
class Block:
    """A header block: lines `start` up to `end` (not included), and the text of its sender and subject fields."""

    start: int
    end: int
    sender: str
    subject: str


def role_of(line: str) -> str | None:
    """The field in a line: from, sent, to, cc, subject, other; None when the line has no field."""
    if ":" not in line[:48] and "\uff1a" not in line[:48]:
        return None
    match = _FIELD.match(line[:80])
    return HEADER_KEYS.get(match[1].strip().lower()) if match else None


def at(lines: list[str], start: int) -> Block | None:
    """The block that begins at line `start`, or None."""
    first = role_of(lines[start])
    if first is None or first == "other":
        return None
    roles = {first: start}
    end, gap = start + 1, 0
    for number in range(start + 1, min(len(lines), start + MAX_LINES)):
        role = role_of(lines[number])
        if role in ("from", "subject") and role in roles:
            break
        if role:
            roles.setdefault(role, number)
            end, gap = number + 1, 0
        elif gap >= 2:
            break
        else:
            gap += 1
    sender, subject = (value_at(lines, roles[role]) if role in roles else "" for role in ("from", "subject"))
    return Block(start, end, sender, subject) if _is_block(roles, sender) else None


def with_unknown_names(lines: list[str], start: int) -> Block | None:
    """The block of lines that begins at `start`, by form alone: `name: value`, an address in the first line.

    People write such lists too, so that it counts only when sender and subject are those of the answered mail. The
    sender is the first value, the subject the last one.
    """
    if "@" not in lines[start]:
        return None
    end = start
    while end < len(lines) and end - start <= MOST_FIELDS and _FIELD.match(lines[end][:80]):
        end += 1
    if not FEWEST_FIELDS <= end - start <= MOST_FIELDS:
        return None
    return Block(start, end, value_at(lines, start), value_at(lines, end - 1))


def without_names(lines: list[str], start: int, subject: str) -> Block | None:
    """The block that begins at `start` with the sender alone in a line and a time in the next, as Notes writes it.

    The bare `subject` has to stand in one of the lines below, alone or in the last column of a table.
    """
    rest = [n for n in range(start + 1, min(len(lines), start + MAX_LINES)) if lines[n].strip()]
    if not rest or "@" not in lines[start] or not _TIME.fullmatch(lines[rest[0]].strip()):
        return None
    for number in rest[1:]:
        if subject and bare_subject(value := lines[number].rpartition("|")[2]) == subject:
            return Block(start, number + 1, lines[start], value)
    return None


def value_at(lines: list[str], number: int) -> str:
    """The value of a field, with the next line when that line has no field."""
    line = re.split("[:\uff1a]", lines[number], maxsplit=1)[1].strip(" *_\t")
    follows = lines[number + 1].strip() if number + 1 < len(lines) else ""
    return line if "@" in line or not follows or role_of(follows) else f"{line} {follows}"


def _is_block(roles: Mapping[str, int], sender: str) -> bool:
    if "from" not in roles:
        return False
    if "subject" in roles:
        return "sent" in roles or "to" in roles
    return "@" in sender and "sent" in roles and ("to" in roles or "cc" in roles)
