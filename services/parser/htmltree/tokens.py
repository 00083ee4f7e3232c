"""Tags of some markup, as a tokenizer of the HTML standard finds them (section 13.2.5).

Takes markup, gives its tags and comments in order. What stands in comments, in quoted attributes and in text that holds
no tags (scripts, styles) is no tag. Linear: each character is looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.parser.htmltree.elements import RAW

_BLANK = " \t\n\r\f"
_ATTRIBUTE = (
    rf"(?:=[^{_BLANK}/>=]*+|[^{_BLANK}/>=]++)"
    rf"""(?:[{_BLANK}]*+=[{_BLANK}]*+(?:"[^"]*+"|'[^']*+'|(?!["'])[^{_BLANK}>]++)?+)?+"""
)
_TOKEN = re.compile(rf"<(?:(/?)([A-Za-z][^{_BLANK}/>]*+)((?:[{_BLANK}/]++|{_ATTRIBUTE})*+)(>?)|(!--)|[!?/][^>]*+>?)")
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_END_OF_COMMENT = re.compile(r"--!?>")
_SHORT_COMMENT = re.compile(r"-?>")
MOST_ATTRIBUTES = 300


class TooComplexError(Exception):
    """A tree would have more elements, attributes or rearranged nodes than are worth it, or cannot be foretold."""


class TooDeepError(TooComplexError):
    """Elements would be open inside each other beyond the bound."""


Token = tuple[int, int, bool, str, str]
"""(start, end, whether it is an end tag, name in lower case, attributes) of one tag; a comment has no name."""


def tokens(markup: str, position: int = 0) -> Iterator[Token]:
    """The tags and comments from an offset on; a mail that ends inside of one has none there."""
    while True:
        for match in _TOKEN.finditer(markup, position):
            closing, name, attributes, closed, comment = match.groups()
            if name:
                if not closed:
                    count_attributes(attributes)  # the mail ends inside a tag, which is read nevertheless
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
    """Where text that holds no tags ends: at its own end tag. Scripts in comments in scripts are nobody's guess."""
    found = _ENDS_OF_RAW[name].search(markup, position)
    end = found.start() if found else len(markup)
    comment = markup.find("<!--", position, end) if name == "script" else -1
    if comment >= 0 and _SCRIPT.search(markup, comment, end):
        raise TooComplexError
    return end


_ENDS_OF_RAW = {name: re.compile(rf"</{name}(?=[{_BLANK}/>])", re.IGNORECASE) for name in RAW}
_SCRIPT = re.compile("<script", re.IGNORECASE)


def count_attributes(attributes: str) -> int:
    """How many attributes a tag has; refused when a builder would compare each with each for too long."""
    if len(attributes) < MOST_ATTRIBUTES:
        return 0
    number = sum(1 for _ in _ATTRIBUTES.finditer(attributes))
    if number > MOST_ATTRIBUTES:
        raise TooComplexError
    return number


def same(one: str, other: str) -> bool:
    """Whether two tags have the same attributes, in any order."""
    return one == other or set(_ATTRIBUTES.findall(one)) == set(_ATTRIBUTES.findall(other))
