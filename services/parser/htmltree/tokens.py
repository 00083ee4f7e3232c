"""Tags of some markup, as a tokenizer of the HTML standard finds them (section 13.2.5).

Takes markup, gives its tags and comments in order. Tags inside comments, quoted attributes and raw text (scripts,
styles) are ignored. Linear: each character is read once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.parser.htmltree.elements import RAW
from shared.lazy_pattern import lazy_compile

_BLANK = " \t\n\r\f"
_ATTRIBUTE = (
    rf"(?:=[^{_BLANK}/>=]*+|[^{_BLANK}/>=]++)"
    rf"""(?:[{_BLANK}]*+=[{_BLANK}]*+(?:"[^"]*+"|'[^']*+'|(?!["'])[^{_BLANK}>]++)?+)?+"""
)
_TOKEN = lazy_compile(rf"<(?:(/?)([A-Za-z][^{_BLANK}/>]*+)((?:[{_BLANK}/]++|{_ATTRIBUTE})*+)(>?)|(!--)|[!?/][^>]*+>?)")
_ATTRIBUTES = lazy_compile(_ATTRIBUTE)
_END_OF_COMMENT = lazy_compile(r"--!?>")
_SHORT_COMMENT = lazy_compile(r"-?>")
MOST_ATTRIBUTES = 300


class TooComplexError(Exception):
    """A tree would have too many elements, attributes or moved nodes, or its size cannot be predicted."""


class TooDeepError(TooComplexError):
    """Elements would be nested deeper than the limit."""


Token = tuple[int, int, bool, str, str]
"""(start, end, whether it is an end tag, name in lower case, attributes) of one tag; a comment has no name."""


def tokens(markup: str, position: int = 0) -> Iterator[Token]:
    """The tags and comments from an offset on; a tag that is cut off by the end of the mail is left out."""
    while True:
        for match in _TOKEN.finditer(markup, position):
            closing, name, attributes, closed, comment = match.groups()
            if name:
                if not closed:
                    count_attributes(attributes)  # the mail ends inside a tag; its attributes are still bounded
                    return
                name = name.lower()
                yield match.start(), match.end(), closing == "/", name, attributes
                if name in RAW and not closing:
                    position = end_of_raw(markup, match.end(), name)
                    break
            elif comment:
                end = _SHORT_COMMENT.match(markup, match.end()) or _END_OF_COMMENT.search(markup, match.end())
                if end is None:
                    return
                position = end.end()
                yield match.start(), position, False, "", ""
                break
            else:
                yield match.start(), match.end(), False, "", ""
        else:
            return


def end_of_raw(markup: str, position: int, name: str) -> int:
    """Offset where raw text ends: at its own end tag. Raises for scripts inside comments inside scripts."""
    found = _ENDS_OF_RAW[name].search(markup, position)
    end = found.start() if found else len(markup)
    comment = markup.find("<!--", position, end) if name == "script" else -1
    if comment >= 0 and _SCRIPT.search(markup, comment, end):
        raise TooComplexError
    return end


_ENDS_OF_RAW = {name: lazy_compile(rf"</{name}(?=[{_BLANK}/>])", re.IGNORECASE) for name in RAW}
_SCRIPT = lazy_compile("<script", re.IGNORECASE)


def count_attributes(attributes: str) -> int:
    """Number of attributes of a tag; raises when comparing each with each would take too long."""
    if len(attributes) < MOST_ATTRIBUTES:
        return 0
    number = sum(1 for _ in _ATTRIBUTES.finditer(attributes))
    if number > MOST_ATTRIBUTES:
        raise TooComplexError
    return number


def same(one: str, other: str) -> bool:
    """Whether two tags have the same attributes, in any order."""
    return one == other or set(_ATTRIBUTES.findall(one)) == set(_ATTRIBUTES.findall(other))
