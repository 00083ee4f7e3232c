"""Splits an address field into its members, at structural characters only (RFC 5322 section 3.4).

Takes a field as text, gives `Item`s: the text outside and inside of brackets, and whether it has defects. `address`
decides which address an item has, and whether it is reliable; words are not interpreted here. Linear: each structural
character is read once.
"""

from __future__ import annotations

import re
from dataclasses import field

from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

_STRUCTURE = lazy_compile(r'[",;:<>()\[\]\\]')
_DEEP_COMMENT = 10
_LONGEST_SCHEME = 40
"""Characters before a colon that are searched for `mailto`, including blanks."""
QUOTED_AT = "\ue0a1"
"""Replaces an `@` inside quotation marks, which does not belong to an address."""
_NEXT = {chars: lazy_compile(f"[{re.escape(chars)}]") for chars in ('"\\', "()\\", '<>"')}


@dataclass(slots=True)
class Item:
    """One member of an address list while it is scanned."""

    phrase: list[str] = field(default_factory=list)
    angles: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    length: int = 0
    """Characters in `phrase`."""
    has_at: bool = False
    """Whether `phrase` holds an `@`."""
    malformed: bool = False
    grouped: bool = False

    def add(self, piece: str) -> None:
        """A piece of the phrase."""
        self.phrase.append(piece)
        self.length += len(piece)
        self.has_at = self.has_at or "@" in piece

    def clear(self) -> None:
        """Forget the phrase."""
        self.phrase.clear()
        self.length, self.has_at = 0, False

    def is_scheme(self) -> bool:
        """Whether the phrase is `mailto`, which may precede an address."""
        return self.length <= _LONGEST_SCHEME and "".join(self.phrase).strip().lower() == "mailto"

    def is_empty(self) -> bool:
        """Whether the item is empty."""
        return not (self.angles or self.malformed or "".join(self.phrase).strip())


class Scanner:
    """Splits a list at its separators; each structural character is read once.

    After a run, `cut` is True if the field has more than `most` members; the others were not read.
    """

    def __init__(self, text: str, *, quotes: bool, most: int = 10_000) -> None:
        self.text = text
        self.last = len(text.rstrip())
        self.quotes = quotes
        self.most = most
        self.cut = False
        self.items: list[Item] = []
        self.item = Item()
        self.in_group = False
        self.unclosed = False
        self.deep = False

    def run(self) -> list[Item]:
        """The members of the field that hold anything."""
        text, position = self.text, 0
        while match := _STRUCTURE.search(text, position):
            if len(self.items) >= self.most:
                self.cut = True
                return self.items
            at, char = match.start(), match[0]
            if at > position:
                self._words(text[position:at])
            position = self._structure(char, at)
        self._words(text[position:])
        self._end()
        return self.items

    def _words(self, piece: str) -> None:
        if self.item.angles:
            self.item.after.append(piece)
        else:
            self.item.add(piece)

    def _end(self) -> None:
        self.item.grouped = self.in_group
        if not self.item.is_empty():
            self.items.append(self.item)
        self.item = Item()

    def _structure(self, char: str, at: int) -> int:
        """Handle one structural character; return the offset at which to continue."""
        if char == '"' and self.quotes:
            return self._quoted(at)
        if char == "(":
            return self._comment(at)
        if char == "<":
            return self._angle(at)
        if char == "[":
            stop = self.text.find("]", at, at + 300)
            if stop > 0:
                self._words(self.text[at : stop + 1])
                return stop + 1
            self.item.malformed = True
        elif char in ",;":
            self._end()
            if char == ";":
                self.in_group = False
        elif char == ":":
            self._colon()
        elif char == "\\":
            self._words(self.text[at + 1 : at + 2])
            return at + 2
        elif char != '"' and not self._closes_nothing(char, at):
            self.item.malformed = True
        return at + 1

    def _closes_nothing(self, char: str, at: int) -> bool:
        """Whether `>` ends the field after an address whose `<` is missing."""
        return char == ">" and self.item.has_at and not self.item.angles and at + 1 >= self.last

    def _colon(self) -> None:
        """`Team:` opens a group, `mailto:` precedes an address, any other colon in a name is a defect."""
        if self.item.is_scheme():
            self.item.clear()
        elif self.item.has_at or self.item.angles or self.in_group:
            self.item.malformed = True
        else:
            self.in_group = True
            self.item = Item()

    def _quoted(self, at: int) -> int:
        out, position, text = [], at + 1, self.text
        while (stop := _next_of(text, '"\\', position)) >= 0:
            out.append(text[position:stop])
            if text[stop] == '"':
                self._quoted_words("".join(out), text, stop + 1)
                return stop + 1
            out.append(text[stop + 1 : stop + 2])
            position = stop + 2
        self.unclosed = True
        return len(text)

    def _quoted_words(self, words: str, text: str, after: int) -> None:
        """Quotes around a local part stay; around a name they go."""
        if text.startswith("@", after) and not self.item.angles:
            self.item.add('"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"')
            return
        self._words(words.replace("@", QUOTED_AT))

    def _comment(self, at: int) -> int:
        depth = deepest = 1
        position, text = at + 1, self.text
        while depth and (stop := _next_of(text, "()\\", position)) >= 0:
            depth += {"(": 1, ")": -1}.get(text[stop], 0)
            deepest = max(deepest, depth)
            position = stop + (2 if text[stop] == "\\" else 1)
        if depth:  # never closed: harmless, unless it contains another address
            self.item.malformed = "@" in text[at:] or "<" in text[at:]
            position = len(text)
        if deepest > _DEEP_COMMENT:
            self.deep = True
        else:
            self.item.comments.append(text[at + 1 : position - 1 if not depth else position])
        self._words(" ")
        return position

    def _angle(self, at: int) -> int:
        """From `<` to its `>`; quotes inside protect what they hold."""
        position, text = at + 1, self.text
        while (stop := _next_of(text, '<>"', position)) >= 0:
            if text[stop] == ">":
                self.item.angles.append(text[at + 1 : stop])
                return stop + 1
            closing = text.find('"', stop + 1) if text[stop] == '"' else -1
            if closing < 0:
                break
            position = closing + 1
        self.item.malformed = True
        end = stop if stop > at else len(text)
        if text[at + 1 : end].strip():
            self.item.angles.append(text[at + 1 : end])
        return end if end > at else at + 1


def _next_of(text: str, chars: str, position: int) -> int:
    match = _NEXT[chars].search(text, position)
    return match.start() if match else -1
