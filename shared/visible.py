"""Text of a mail made visible: what moves a cursor, or makes one name look like another, is written as an escape.

The command line and the console show every text that comes from outside this way.
"""

from __future__ import annotations

from typing import Final

from shared.lazy_pattern import lazy_compile

_HIDDEN: Final = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Controls, direction marks and whatever else is not seen (Default_Ignorable_Code_Point, UAX 44)."""
_JOINED: Final = (
    r"\u0600-\u061b\u061d-\u109f\u1780-\u17b3\u17b6-\u180a\u1820-\u18af\ua840-\ua87f\ufb50-\ufdff\ufe70-\ufefc"
    r"\u2600-\u27bf\u2b05-\u2b55\ufe0f\U0001f000-\U0001faff"
)
"""Arabic, the scripts of South and South-East Asia, and emoji: what the joiners U+200C and U+200D shape."""
UNSAFE: Final = lazy_compile(
    rf"[{_HIDDEN}]|(?<![^\x00-\x7f])[\ufe0e\ufe0f]|(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])"
)
"""Hidden characters, variation selectors (U+FE0E, U+FE0F) after an ASCII character or at the beginning, and joiners
anywhere but within a word whose script needs them, or within an emoji."""
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
