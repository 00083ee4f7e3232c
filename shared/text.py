"""Small forms that several modules share: times, sizes, shortened text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from shared.lazy_pattern import lazy_compile

_MARKS: Final = "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
"""Marks of direction and of possible line breaks. Joiners (U+200C, U+200D) are none: words are spelled with them."""
UNSEEN: Final = "".join(filter(str.isspace, map(chr, range(0x3001)))) + (
    f"{_MARKS}\xad\u034f\u115f\u1160\u1427\u17b4\u17b5\u180e\u200c\u200d\u2061\u2062\u2063\u2064"
    "\u2800\u3164\ufe0e\ufe0f\uffa0\ufffc"
)
"""White space, and the invisible or tiny marks of trackers (U+1427) and mail programs, alone on a line."""
_TYPED: Final = {ord("\uff3b"): "[", ord("\uff3d"): "]", ord("\uff03"): "#", **dict.fromkeys(map(ord, _MARKS))}
_NOT_TYPED: Final = lazy_compile(f"[{''.join(map(chr, _TYPED))}]")


def iso(at: datetime) -> str:
    """A time as all JSON of Postroom writes it: UTC, ISO 8601, to the millisecond, with Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """The time that `iso` wrote."""
    return datetime.fromisoformat(text)


def shortened(text: str, most: int) -> str:
    """The text, or its beginning with an ellipsis when it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def typed(text: str) -> str:
    """The text in which numbers of records are looked for: ASCII for full-width brackets and `#`, no unseen marks.

    Keyboards for Japanese and Chinese give `［Call － n］`, and programs put marks of direction around numbers.
    """
    return text if text.isascii() or not _NOT_TYPED.search(text) else text.translate(_TYPED)
