"""The words by which a mail is found without reading every mail: of its sender and its subject, in one indexed list.

A word is a run of letters and digits; an address is a word as a whole, and so are its parts. Written with the mail, and
looked for by how they begin.
"""

from __future__ import annotations

import unicodedata
from itertools import islice
from typing import Final

from shared.lazy_pattern import lazy_compile

MAX_WORDS: Final = 24
"""Of one mail that are kept: those of the sender come first."""
MAX_CHARACTERS: Final = 40
_SEARCHED: Final = 1000
"""Characters of a text that are looked at."""
_ADDRESS: Final = lazy_compile(r"[^\s<>()\",;:]{1,64}@[^\s<>()\",;:]{1,80}")
_WORD: Final = lazy_compile(r"\w+")


def words_of(*texts: str) -> tuple[str, ...]:
    """The distinct words of some texts, folded, in their order."""
    found = dict.fromkeys(word for text in texts for word in _words(folded(text[:_SEARCHED])))
    return tuple(islice(found, MAX_WORDS))


def _words(text: str) -> list[str]:
    addresses = _ADDRESS.findall(text) if "@" in text else []
    return [each[:MAX_CHARACTERS] for each in (*addresses, *_WORD.findall(text))]


def searched_words(text: str) -> tuple[str, ...]:
    """What is looked for when a person writes this: an address as a whole, other text word by word."""
    wanted = folded(text[:_SEARCHED])
    return tuple(
        dict.fromkeys(
            each[:MAX_CHARACTERS]
            for part in wanted.split()
            for each in ([part.strip("<>,;")] if _ADDRESS.search(part) else _WORD.findall(part))
        )
    )[:MAX_WORDS]


def folded(text: str) -> str:
    """A text without differences of case and composition."""
    return unicodedata.normalize("NFC", text).casefold()
