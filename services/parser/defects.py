"""The stable words for what is wrong with a mail.

Every word that can stand in `ParsedMail.defects` is declared here with its meaning; docs/parsing.md lists the same
words and a test compares the two. Code adds a word through `Defects`, which keeps the order of discovery.
"""

from __future__ import annotations

MEANINGS: dict[str, str] = {}


class Defects:
    """An ordered set of defect words, filled while one mail is read."""

    __slots__ = ("_words",)

    def __init__(self) -> None:
        self._words: dict[str, None] = {}

    def add(self, word: str) -> None:
        """Note a defect; a second time changes nothing."""
        self._words[word] = None

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def words(self) -> tuple[str, ...]:
        """The words in the order in which they were found."""
        return tuple(self._words)
