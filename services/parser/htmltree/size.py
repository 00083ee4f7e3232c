"""Predicts from the tags of some HTML how large its tree would be, before a library builds it.

Takes markup and limits, gives the number of elements or the reason not to build the tree. Counting tags is not enough:
an unclosed formatting element is opened again in each block, an end tag may close nothing, and content between rows is
moved before its table. Quick for small or well-nested markup; `builder` follows the rest tag by tag.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import accumulate

from services.parser.htmltree.builder import MOST_DEPTHS, Builder, Limits
from services.parser.htmltree.elements import (
    BLOCKS,
    CELLS,
    CONTEXTS,
    EXOTIC,
    FORMATTING,
    FOSTERING,
    FRAGILE,
    MADE_BY_END_TAGS,
    VOID,
)
from services.parser.htmltree.tokens import TooComplexError, TooDeepError, count_attributes, tokens
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

_FEW_BYTES = 4_096
_MOST_IN_TAG = 2_000
_LONG_TAG = lazy_compile(rf"<[^<>]{{{_MOST_IN_TAG}}}")
_LOOSE_SIGN = lazy_compile(r"<(?![A-Za-z/!?])")
_PIECE = lazy_compile("[&\x80-\xbf]")
_MOST_APPENDED = 25_000_000_000
"""Characters of a text times the pieces in which it reaches the tree: one for each `&`, lone `<`, and character U+0080
to U+00BF (the sanitiser's library). Each piece is appended to a copy of those before it.
"""


_FEW_TAGS = 2_000
"""Libraries can build trees of this depth; `Limits.depth` is lower."""
_MOST_MADE = 3
"""Elements for one tag: its own, and those that a cell implies, a row and its group."""
_MOST_COPIES = 32
"""Elements that the adoption agency copies for a formatting tag: eight times four (HTML standard, 13.2.6.4.7)."""
_NAMES = lazy_compile(r"<(/?[A-Za-z][^\s/>]*)")
_ATTRIBUTES = r"""(?:\s++[\w:.-]++(?:=(?:"[^"<>]*+"|'[^'<>]*+'|[^\s"'`=<>]++))?+)*+\s*+"""
"""Attributes that every tokenizer ends at the same place."""
_FORMATTING = rf"(?i:{'|'.join(sorted(FORMATTING))})"
_CLOSED_AT_ONCE = lazy_compile(
    rf"<({_FORMATTING}){_ATTRIBUTES}>"
    rf"(?:[^<]++|<(?i:br|img){_ATTRIBUTES}/?>|<({_FORMATTING}){_ATTRIBUTES}>[^<]*+</(?i:\2)>)*+"
    r"</(?i:\1)>",
    re.ASCII,
)
"""A formatting element that holds nothing but text, images, and formatting elements that hold nothing but text."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many elements a tree has at most; whether it may be built, and if not, whether for its depth."""

    elements: int
    fits: bool = True
    is_deep: bool = False


_COMPLEX = Size(0, fits=False)


def size(markup: str, limits: Limits) -> Size:
    """The predicted size of the tree of `markup`, within `limits`."""
    tags = markup.count("<")
    if limits.elements <= 0 and tags:
        return _COMPLEX
    if _is_appended_in_many_pieces(markup):
        return _COMPLEX
    if tags <= _FEW_TAGS and _has_short_tags(markup, tags) and (quick := _quick_estimate(markup, tags, limits)):
        return quick
    return followed(markup, tags, limits)


def followed(markup: str, tags: int, limits: Limits) -> Size:
    """The same by following every tag, for markup of any length."""
    if tags > limits.elements * 2 or len(_LOOSE_SIGN.findall(markup)) * len(markup) > _MOST_APPENDED:
        return _COMPLEX
    try:
        elements = _elements_if_well_nested(markup, limits)
        return Size(_elements_followed(markup, limits) if elements is None else elements)
    except TooDeepError:
        return Size(0, fits=False, is_deep=True)
    except TooComplexError:
        return _COMPLEX


def _quick_estimate(markup: str, tags: int, limits: Limits) -> Size | None:
    """An upper bound of the elements, if half of what is left allows it; None when each tag has to be followed.

    Each tag, or the text behind it, may open every formatting element again that was not closed at once, and a
    misnested formatting tag copies some. The depth is that of well nested markup; end tags out of place, which close
    nothing, can hide at most half of `_FEW_TAGS` from it.
    """
    names = _NAMES.findall(markup)
    counts = Counter(names)
    if any(name[0] == "/" and number > counts[name[1:]] for name, number in counts.items()):
        return None
    formatting = {name: number for name, number in counts.items() if name.strip("/").lower() in FORMATTING}
    opened = sum(number for name, number in formatting.items() if name[0] != "/")
    most = tags * (opened + _MOST_MADE) + sum(formatting.values()) * _MOST_COPIES
    if most > limits.elements // 2:
        most -= tags * _closed_at_once(markup)
    if most > limits.elements // 2:
        return None
    steps = {name: 0 if name.strip("/").lower() in VOID else -1 if name[0] == "/" else 1 for name in counts}
    depth = max(accumulate(map(steps.__getitem__, names)), default=0)
    return Size(most) if depth <= limits.depth else None


def _closed_at_once(markup: str) -> int:
    """How many formatting elements are closed before anything else begins: these are never opened again."""
    return sum(found[0].count("</") for found in _CLOSED_AT_ONCE.finditer(markup))


def _is_appended_in_many_pieces(markup: str) -> bool:
    """Whether the texts between tags, or the values within one, take too long to be joined."""
    if len(markup) ** 2 <= _MOST_APPENDED or _pieces(markup) * len(markup) <= _MOST_APPENDED:
        return False
    return sum(_pieces(text) * len(text) for text in markup.split("<")) > _MOST_APPENDED


def _pieces(text: str) -> int:
    return text.count("&") if text.isascii() else sum(1 for _ in _PIECE.finditer(text))


def _has_short_tags(markup: str, tags: int) -> bool:
    """Whether the markup is short or has no long tag, so that attributes need not be counted. Cheap."""
    if len(markup) <= _FEW_BYTES:
        return True
    if markup.count(">") > tags + 5:
        return False
    return max(map(len, markup.split("<"))) < _MOST_IN_TAG or not _LONG_TAG.search(markup)


def _elements_followed(markup: str, limits: Limits) -> int:
    builder = Builder(limits, quirks=True)
    if not builder.follow(markup):
        return builder.elements
    other = Builder(limits, quirks=False)
    other.follow(markup)
    return max(builder.elements, other.elements)


def _elements_if_well_nested(markup: str, limits: Limits) -> int | None:
    """The most elements if only an end tag right inside its element closes anything; None when that is too many.

    Each block that begins and each element that ends may close the formatting elements, which are opened again then.
    """
    names: list[str] = []
    formatting = elements = tables = depths = before = 0
    for start, end, closing, name, attributes in tokens(markup):
        if names and names[-1] in FOSTERING and _is_fostered(markup, before, start, "" if closing else name):
            return None
        before = end
        depths += len(names)
        if closing:
            if names and names[-1] == name:
                names.pop()
                formatting -= name in FORMATTING
                tables -= name == "table"
            elements += formatting + (name in MADE_BY_END_TAGS)
            continue
        elements += 1
        if attributes:
            count_attributes(attributes)
        if name in VOID or not name:
            continue
        if name in EXOTIC or name in FRAGILE or (name in CELLS and names[-1:] != ["tr"]):
            return None
        names.append(name)
        formatting += name in FORMATTING
        tables += name == "table"
        elements += formatting + (name == "tr") if name in BLOCKS else 0
        if len(names) + tables > limits.depth or elements > limits.elements:
            return None
    return elements if elements <= limits.elements and depths <= MOST_DEPTHS else None


def _is_fostered(markup: str, before: int, start: int, name: str) -> bool:
    """Whether a tag in a table, or the text before it, is outside of the cells and moved before the table."""
    text = markup[before:start]
    return bool(name and name not in CONTEXTS) or not (not text or text.isspace())
