"""The configuration file as items that know their lines.

Reads YAML events (bytes in, items out) and builds nothing but texts, lists and mappings: no tag makes an
object, no alias makes more than `MAX_ALIASED_ITEMS` items, nothing nests deeper than `MAX_DEPTH_LEVELS`. Only who reads
or writes a file imports it, and with it YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import field
from typing import Any, Final

import yaml

from shared.config.tree import Item, Mapped, Sequenced, Text, Unparsable
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

MAX_DEPTH_LEVELS: Final = 30
"""Levels; the deepest key of the configuration has six."""
MAX_ALIASED_ITEMS: Final = 100_000
"""Items that aliases may add to a file; a file that expands to more is an attack, or a mistake."""
CORE: Final = "tag:yaml.org,2002:"
PLAIN_TAGS: Final = frozenset(
    {None, "!", *(CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))}
)
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(content: bytes) -> Item:
    """The items of a YAML file; an empty file is an empty mapping. Raises `Unparsable`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unparsable(content[: error.start].count(b"\n") + 1, "not UTF-8 text; save the file as UTF-8") from None
    try:
        return _Builder(text).build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        raise _unparsable(text, error) from None
    except yaml.reader.ReaderError as error:
        raise Unparsable(_line_of(text, error.position), "not valid YAML: control characters are not allowed") from None


def _unparsable(text: str, error: yaml.MarkedYAMLError) -> Unparsable:
    mark: Any = error.problem_mark or error.context_mark
    if mark and (line := _line_too_deep(text[: mark.index])):
        return _too_deep(line)
    if "simple key" in (error.context or "") or (mark and mark.index >= len(text.rstrip())):
        mark = error.context_mark or mark  # where it begins, not where the parser gave up
    why = " ".join(part for part in (error.context, error.problem) if part)
    return Unparsable(mark.line + 1 if mark else 1, f"not valid YAML: {_remedy(why, text[mark.index :][:1])} ({why})")


def _remedy(why: str, character: str) -> str:
    found = next((remedy for words, remedy in _REMEDIES if words in why), "check indentation, brackets and quotes here")
    return _BLANKS if character == "\t" else found.format(character=character)


_BLANKS: Final = "there is a tab here; indent with spaces"
_REMEDIES: Final = (
    ("cannot start any token", "put a text that starts with {character} in quotes"),
    ("tab character", _BLANKS),
    ("mapping values are not allowed", "put a text with a colon in quotes, or correct the indentation"),
    ("expected ':'", "write a space after the colon of a key"),
    ("escape character", "put a text with \\ in single quotes"),
    ("an anchor", "put a text that starts with & in quotes"),
    ("an alias", "put a text that starts with * in quotes"),
    ("block scalar", "put a text that starts with > or | in quotes"),
    ("block sequence entries", "put a text that starts with - in quotes; a list starts on the next line"),
    ("expected '-' indicator", "indent this line like the lines that belong together with it"),
    ("node content", "a value is missing here; put a text that starts with #, a comma or a bracket in quotes"),
    ("expected ',' or", "close the bracket, and put a text with brackets or commas in quotes"),
    (
        "expected key",
        "put a text that starts with a bracket or a quotation mark in quotes; check the indentation",
    ),
    ("end of stream", "a quotation mark is not closed"),
)
"""What to do about an error of YAML, by words of the parser."""


def _too_deep(line: int) -> Unparsable:
    return Unparsable(line, f"nested more than {MAX_DEPTH_LEVELS} levels deep; remove the levels that are not needed")


def _line_too_deep(text: str) -> int | None:
    """The line where the text nests too deep, None if it nowhere does. YAML errors are ignored.

    libyaml has a limit of its own and reads ahead of its events (up to 1024 characters of a line, in which a
    key may end), so its error can come before the event that `_Builder` refuses.
    """
    depth = 0
    with suppress(yaml.YAMLError):
        events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        for event in events:
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH_LEVELS:
                return int(event.start_mark.line) + 1
    return None


def _line_of(text: str, position: object) -> int:
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1


_UNDEFINED: Final = "*{} is not defined before; put a text that starts with * in quotes"
_COMMENT: Final = lazy_compile(r"[ \t]+(#+(?![^\s#])(?=[ \t]*$)|#\S+)", re.MULTILINE)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been seen."""

    item: Sequenced | Mapped
    anchor: str | None
    key: Text | None = None


@dataclass(slots=True)
class _Builder:
    """Turns events into items with a stack of its own, so that depth costs no recursion."""

    text: str
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, Item] = field(default_factory=dict)
    aliased: int = 0
    root: Item | None = None

    def build(self, events: Iterator[Any]) -> Item:
        for event in events:
            self._take(event, event.start_mark.line + 1)
        return self.root if self.root is not None and not _is_null(self.root) else Mapped([], 1)

    def _take(self, event: yaml.Event, line: int) -> None:
        match event:
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.AliasEvent():
                self._alias(event.anchor or "", line)
            case yaml.MappingStartEvent():
                self._open(Mapped([], line), event, line)
            case yaml.SequenceStartEvent():
                self._open(Sequenced([], line), event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.DocumentStartEvent() if self.root is not None:
                raise Unparsable(line, "a second document starts here; one file holds one")
            case _:
                pass

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        _refuse_tag(event.tag, line)
        quoted = event.style in {"'", '"', "|", ">"} or event.tag == f"{CORE}str"
        end: Any = event.end_mark
        found = None if quoted else _COMMENT.match(self.text, end.index)
        self._add(Text(event.value, line, plain=not quoted, comment=found[1] if found else ""), event.anchor)

    def _open(self, item: Sequenced | Mapped, event: yaml.CollectionStartEvent, line: int) -> None:
        _refuse_tag(event.tag, line)
        if len(self.stack) >= MAX_DEPTH_LEVELS:
            raise _too_deep(line)
        self.stack.append(_Open(item, event.anchor))

    def _close(self) -> None:
        closed = self.stack.pop()
        self._add(closed.item, closed.anchor)

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self.anchors:
            inside = any(each.anchor == anchor for each in self.stack)
            raise Unparsable(line, f"*{anchor} refers to itself" if inside else _UNDEFINED.format(anchor))
        self.aliased += _weight(self.anchors[anchor])
        if self.aliased > MAX_ALIASED_ITEMS:
            raise Unparsable(line, f"aliases unfold to more than {MAX_ALIASED_ITEMS} items")
        self._add(self.anchors[anchor], None)

    def _add(self, item: Item, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = item
        if not self.stack:
            self.root = item
            return
        top = self.stack[-1]
        top.item.weight += _weight(item)
        if isinstance(top.item, Sequenced):
            top.item.items.append(item)
        elif top.key is None:
            top.key = _as_key(item)
        else:
            top.item.pairs.append((top.key, item))
            top.key = None


def _refuse_tag(tag: str | None, line: int) -> None:
    if tag not in PLAIN_TAGS:
        raise Unparsable(line, f"the tag {tag} is not used in this file; put a text that starts with ! in quotes")


def _as_key(item: Item) -> Text:
    if isinstance(item, Text):
        return item
    raise Unparsable(item.line, "a key is a word, not a list or mapping; quote text that starts with [ or {")


def _weight(item: Item) -> int:
    return 1 if isinstance(item, Text) else item.weight


def _is_null(item: Item) -> bool:
    return isinstance(item, Text) and item.is_null
