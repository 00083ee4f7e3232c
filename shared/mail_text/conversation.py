"""The conversation id (NE-23): a mark such as `[DESK:3f2a9c01be44d7e5]` in outgoing mail, by which answers find their
record.

It names the record by the beginning of its id. Pure; whether a mail that has it may change the record is decided
elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from shared.config.model import Configuration
from shared.lazy_pattern import lazy_compile

BUILT_IN_PREFIX: Final = "CONV"
ID_CHARACTERS: Final = 16
"""Characters of a record's id in the mark."""
MAX_SEARCHED: Final = 100_000
"""Characters of a mail in which marks are looked for."""
MAX_MARKS: Final = 10
_MARK: Final = lazy_compile(r"\[(?P<prefix>[A-Za-z0-9_-]{1,20}):\s{0,2}(?P<id>[0-9a-fA-F]{16})\]")
_REPLY: Final = lazy_compile(r"(?:re|aw|sv|antw)\s{0,2}:\s{0,3}", re.IGNORECASE)


def mark(prefix: str | None, record_id: str) -> str:
    """The mark of a record."""
    return f"[{prefix or BUILT_IN_PREFIX}:{record_id[:ID_CHARACTERS]}]"


def prefixes_of(configuration: Configuration) -> frozenset[str]:
    """The prefixes that servers of the desk write; empty when none writes any."""
    stated = (each.conversation_id for each in configuration.mail_servers)
    return frozenset((each.prefix or BUILT_IN_PREFIX).casefold() for each in stated if each.enabled)


def ids_in(texts: Iterable[str], prefixes: frozenset[str]) -> list[str]:
    """The beginnings of ids in these texts, in order, each once."""
    found = dict[str, None]()
    for text in texts:
        for match in _MARK.finditer(text[:MAX_SEARCHED]):
            if match["prefix"].casefold() in prefixes and len(found) < MAX_MARKS:
                found[match["id"].lower()] = None
    return list(found)


def in_subject(subject: str, marked: str) -> str:
    """A subject with the mark before it, behind `Re:`, where mail programs leave brackets out when they compare."""
    if marked.casefold() in subject.casefold():
        return subject
    found = _REPLY.match(subject)
    end = found.end() if found else 0
    return f"{subject[:end]}{marked} {subject[end:]}"
