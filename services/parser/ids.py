"""Message ids: of the mail, of what it answers, of its thread.

Takes raw Message-ID, In-Reply-To and References values, gives ids in angle brackets, so that the same id always has
the same form. Separate from addresses, which look similar: an id is compared, never parsed (RFC 5322
section 3.6.4).
"""

from __future__ import annotations

import re

from services.parser.charset import guess, scalar
from services.parser.defects import Defects

_BRACKETED = re.compile(r"<([^<>]{1,2000})>")
_SPACES = re.compile(r"[\s\x00-\x1f\x7f]+")
_LONGEST = 998
_HEAD, _TAIL = 8 * 1024, 56 * 1024
"""Bytes at both ends of a longer field that are searched for ids."""


def message_id(values: list[bytes], defects: Defects) -> str | None:
    """The mail's own id; None with a defect when it is missing or invalid."""
    if len(values) > 1:
        defects.add("several-message-ids")
    for value in values:
        begin = value[:_HEAD]
        if found := _ids(begin):
            return found[0]
        if words := _SPACES.sub("", _text(begin)).strip("<>"):
            defects.add("bad-message-id")
            return f"<{words[:_LONGEST]}>"
    return None


def all_ids(values: list[bytes], cap: int, defects: Defects) -> tuple[str, ...]:
    """Every id of a field, each once; beyond `cap` the first and the newest are kept. The first field counts."""
    if len(values) > 1:
        defects.add("several-references")
    value, cut = _ends(values[0]) if values else (b"", False)
    ids = tuple(dict.fromkeys(_ids(value) or _bare_ids(value)))
    if cut:
        defects.add("references-capped")
    if len(ids) > cap:
        defects.add("references-capped")
        ids = (ids[0], *ids[len(ids) - cap + 1 :])
    return ids


def _ends(value: bytes) -> tuple[bytes, bool]:
    """A field without the middle part of a very long one, cut between ids; and whether it was cut."""
    if len(value) <= _HEAD + _TAIL:
        return value, False
    head, tail = value[:_HEAD], value[-_TAIL:]
    return head[: head.rfind(b">") + 1] + tail[max(tail.find(b"<"), 0) :], True


def _text(value: bytes) -> str:
    return value.decode("ascii") if value.isascii() else scalar(guess(value))


def _ids(value: bytes) -> list[str]:
    if b"<" not in value:
        return []
    inside = (_SPACES.sub("", match[1]) for match in _BRACKETED.finditer(_text(value)))
    return [f"<{one}>" for one in inside if one and len(one) <= _LONGEST]


def _bare_ids(value: bytes) -> list[str]:
    """Ids without brackets: words with an @ in them."""
    words = (word.strip("<>,;\"'()") for word in _text(value).split())
    return [f"<{word}>" for word in words if "@" in word and 2 < len(word) <= _LONGEST]
