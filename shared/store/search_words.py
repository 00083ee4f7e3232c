"""The words by which a mail is found without reading every mail: of its sender and its subject, in one indexed list.

A word is a run of letters and digits; an address is a word as a whole, and so are its parts. Written with the mail, and
looked for by how they begin. Where a script has no blanks between words, what follows each letter is a word too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Final

from shared.lazy_pattern import lazy_compile

MAX_WORDS: Final = 24
"""Of one mail that are kept: those of the sender come first."""
MAX_CHARACTERS: Final = 40
MAX_PLACES: Final = 60
"""Letters in words without blanks from which on a mail is found."""
_SEARCHED: Final = 1000
"""Characters of a text that are looked at."""
_ADDRESS: Final = lazy_compile(r"[^\s<>()\",;:]{1,64}@[^\s<>()\",;:]{1,80}")
_WORD: Final = lazy_compile(r"\w+")
_WITHOUT_BLANKS: Final = lazy_compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Letters of Thai, Lao, Burmese, Khmer, Japanese and Chinese."""


def words_of(*texts: str) -> tuple[str, ...]:
    """The distinct words of some texts, folded, in their order."""
    looked_at = [folded(text[:_SEARCHED]) for text in texts]
    words = islice(dict.fromkeys(word for text in looked_at for word in _words(text)), MAX_WORDS)
    within = islice((end for text in looked_at for end in _ends_of_words(text)), MAX_PLACES)
    return tuple(dict.fromkeys((*words, *within)))


def _words(text: str) -> list[str]:
    addresses = _ADDRESS.findall(text) if "@" in text else []
    return [each[:MAX_CHARACTERS] for each in (*addresses, *_WORD.findall(text))]


def _ends_of_words(text: str) -> Iterator[str]:
    """The ends of words without blanks, from each letter on."""
    if text.isascii():
        return
    for word in _WORD.findall(text):
        for letter in _WITHOUT_BLANKS.finditer(word, 1):
            yield word[letter.start() :][:MAX_CHARACTERS]


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
