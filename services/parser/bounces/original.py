"""Finds where a report ends and the returned mail begins, and to whom that mail was sent.

A person wrote the returned mail, so codes and addresses in it are ignored. Only its To field is used, when the
report itself names no recipient.
"""

from __future__ import annotations

import re
from typing import Final

from services.parser.bounces.addresses import find
from services.parser.tables import alternatives
from shared.lazy_pattern import lazy_compile

_LINES: Final = r"""
    en  (?:the )?(?:headers? of )?(?:the |your )?(?:original|unsent|returned|undelivered) ?(?:e-?mail|message|mail)
    en  (?:the )?(?:headers? of )?(?:the |your )?(?:bounced|rejected|failed|old) ?(?:e-?mail|message|mail)
    en  (?:below|here) (?:this line )?(?:the next line )?is (?:a copy|the original|your (?:returned|original))
    en  this is a? ?copy of | (?:included|attached|following|below) is a copy
    en  a copy of (?:the|your) (?:original )?message (?:follows|is|text|below) | message (?:text |headers? )?follows?
    en  (?:start|begin(?:ning)?) of (?:the )?(?:returned|original|forwarded) (?:message|mail) | forwarded message
    en  the (?:first \d{1,4} lines of the )?(?:original )?message headers?
    en  -{2,} ?(?:the header|original message|copy of)
"""
_TAIL: Final = (
    r"(?: (?:headers?|text|body|content|copy))?"
    r"(?: (?:follows?|attached|is (?:following|attached|included|below)))?"
)
_BEGIN: Final = lazy_compile(
    rf"[\s\-=_*+>#.:]{{0,80}}(?:{alternatives(_LINES)}){_TAIL}\b[\s\w()',./]{{0,60}}[\s\-=_*+>#.:]{{0,120}}$",
    re.IGNORECASE,
)
_HEADER: Final = lazy_compile(
    r"(?:Return-Path|Received|MIME-Version|Message-ID|DKIM-Signature|X-Originating-IP):", re.IGNORECASE
)
_TO: Final = lazy_compile(
    r"^To:[ \t]*([^\r\n]{1,1000}(?:\r?\n[ \t][^\r\n]{1,1000}){0,20})", re.IGNORECASE | re.MULTILINE
)
_MESSAGE_ID: Final = lazy_compile(r"^Message-ID:\s{0,80}(<[^<>\s]{3,900}>)", re.IGNORECASE | re.MULTILINE)
_NOT_YET: Final = lazy_compile(
    r"was received|was sent|could not|cannot|has been|were|failed|returned to|details$", re.IGNORECASE
)


def split(text: str) -> tuple[str, str]:
    """`text` cut into the report itself and the mail that it returns (either may be empty)."""
    position = 0
    for line in text.splitlines(keepends=True):
        if position and _begins(line):
            return text[:position], text[position:]
        position += len(line)
    return text, ""


def _begins(line: str) -> bool:
    if _HEADER.match(line):
        return True
    return len(line) < 200 and bool(_BEGIN.match(line)) and not _NOT_YET.search(line)


def recipients(head: str) -> list[str]:
    """The addresses of the first To field of a mail's head."""
    match = _TO.search(head[:200_000])
    return find(match[1], 100) if match else []


def message_ids(returned: str, most: int) -> tuple[str, ...]:
    """The Message-IDs of the mail that a report returns; a report may return it twice, or only its head."""
    found = (match[1] for match in _MESSAGE_ID.finditer(returned[:200_000]))
    return tuple(dict.fromkeys(found))[:most]
