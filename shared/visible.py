"""Text of a mail made visible: what moves a cursor, or makes one name look like another, is written as an escape.

The command line and the console show every text that comes from outside this way.
"""

from __future__ import annotations

from typing import Final

from shared.lazy_pattern import lazy_compile

_HIDDEN: Final = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Controls, direction marks and whatever else is not seen (Default_Ignorable_Code_Point, UAX 44)."""
UNSAFE: Final = lazy_compile(rf"[{_HIDDEN}]|(?<![^\x00-\x7f])[\ufe0e\ufe0f]")
"""Hidden characters, and variation selectors (U+FE0E, U+FE0F) after an ASCII character or at the beginning."""
_BREAKS: Final = lazy_compile(r"[\t\n]+")


def safe(text: object, *, breaks: bool = False) -> str:
    """Escape control characters, so that they are seen. Line breaks become blanks unless `breaks`."""
    shown = str(text) if breaks else _BREAKS.sub(" ", str(text))
    return UNSAFE.sub(lambda found: _escaped(found[0]), shown)


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
