"""Authentication-Results by the grammar of RFC 8601, section 2.2: which server states what about a mail. Pure.

A value is read as a whole or not at all: comments (nested, RFC 5322 section 3.2.2) and quoted strings are what the
grammar says they are, never a place to look for results in. One step is wider than the grammar, because servers write
it so: a property's value without quotes may hold any character that delimits nothing (`header.b=Ab/c+d=`), and a
property may have a name of its own that begins with `x-` (`x-bits=2048`). Time is linear in the length of the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Final

from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

_BLANKS: Final = lazy_compile(r"[ \t\r\n]*")
_PARENTHESIS: Final = lazy_compile(r"\\.|[()]", re.DOTALL)
_DIGITS: Final = lazy_compile(r"[0-9]+")
_KEYWORD: Final = lazy_compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_TOKEN: Final = lazy_compile(rf'(?:{_QUOTED}|[^\s\x00-\x20\x7f()<>@,;:\\"/\[\]?=]+)', re.DOTALL)
_VALUE: Final = lazy_compile(
    rf'(?={_QUOTED}|[^\s;()"\\\x00-\x20\x7f])(?:{_QUOTED})?[^\s;()"\\\x00-\x20\x7f]*', re.DOTALL
)
_ESCAPED: Final = lazy_compile(r"\\(.)", re.DOTALL)


class Malformed(Exception):
    """The value does not follow the grammar."""


@dataclass(frozen=True, slots=True)
class Result:
    """One method's result. `properties` by `ptype.property` in lower case; a name that occurs twice has no value."""

    method: str
    version: int
    result: str
    properties: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Statement:
    """What the server that `authserv_id` names says. `results` is empty for `none`."""

    version: int
    results: tuple[Result, ...]


def authserv_id(value: str) -> str | None:
    """The server that a value names, in lower case; None when it begins with no name."""
    try:
        return _unquoted(_Reader(value).blanks().take(_TOKEN)).lower()
    except Malformed:
        return None


def parse_statement(value: str) -> Statement:
    """The whole value. Raises `Malformed`."""
    reader = _Reader(value)
    reader.blanks().take(_TOKEN)
    version = int(reader.blanks().maybe(_DIGITS) or 1)
    results = tuple(_results(reader))
    return Statement(version, results)


@dataclass(slots=True)
class _Reader:
    """A place in the value; every step forward is a method."""

    text: str
    at: int = field(default=0)

    def blanks(self) -> _Reader:
        """Step over white space and comments (CFWS)."""
        while True:
            self.at = _end(_BLANKS.match(self.text, self.at))
            if not self.text.startswith("(", self.at):
                return self
            self.at = self._end_of_comment()

    def _end_of_comment(self) -> int:
        depth = 0
        for found in _PARENTHESIS.finditer(self.text, self.at):
            depth += {"(": 1, ")": -1}.get(found[0], 0)
            if depth == 0:
                return found.end()
        raise Malformed("a comment is not closed")

    def maybe(self, pattern: re.Pattern[str]) -> str | None:
        """Step over a match of the pattern and return it; None when there is no match here."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def take(self, pattern: re.Pattern[str]) -> str:
        """Step over a match of the pattern and return it. Raises `Malformed` when there is no match here."""
        found = self.maybe(pattern)
        if found is None:
            raise Malformed(f"unexpected text at {self.at}")
        return found

    def has(self, character: str) -> bool:
        """Step over this character if it is here."""
        found = self.text.startswith(character, self.at)
        self.at += found
        return found

    def expect(self, character: str) -> _Reader:
        """Step over blanks, this character and blanks. Raises `Malformed`."""
        if not self.blanks().has(character):
            raise Malformed(f"{character!r} is missing at {self.at}")
        return self.blanks()

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.text)


def _end(found: re.Match[str] | None) -> int:
    assert found is not None  # the pattern matches the empty text
    return found.end()


def _results(reader: _Reader) -> Iterator[Result]:
    """Every `; method=result …` up to the end, or the one `; none`."""
    first = True
    while first or not reader.blanks().ended:
        method = reader.expect(";").take(_KEYWORD).lower()
        if first and method == "none" and reader.blanks().ended:
            return
        first = False
        version = int(reader.expect("/").take(_DIGITS)) if reader.blanks().text.startswith("/", reader.at) else 1
        result = reader.expect("=").take(_KEYWORD).lower()
        yield Result(method, version, result, _properties(reader))


def _properties(reader: _Reader) -> Mapping[str, str | None]:
    """The reason and the properties that follow a result; blanks or a comment part them."""
    found: dict[str, str | None] = {}
    while True:
        before = reader.at
        if reader.blanks().ended or reader.text.startswith(";", reader.at):
            return found
        if reader.at == before:
            raise Malformed(f"unexpected text at {reader.at}")
        name, value = _property(reader)
        found[name] = None if name in found else value


def _property(reader: _Reader) -> tuple[str, str]:
    name = reader.take(_KEYWORD).lower()
    if reader.blanks().text.startswith(".", reader.at):
        name = f"{name}.{reader.expect('.').take(_KEYWORD).lower()}"
    elif name != "reason" and not name.startswith("x-"):
        raise Malformed(f"{name} is not a property")
    return name, _unquoted(reader.expect("=").take(_VALUE))


def _unquoted(text: str) -> str:
    """Without the quotes around the whole of it; a quoted local part keeps its own."""
    whole = len(text) > 1 and text[0] == text[-1] == '"'
    return _ESCAPED.sub(r"\1", text[1:-1]) if whole else text
