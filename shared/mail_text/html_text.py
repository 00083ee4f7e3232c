"""Plain text made from the HTML of a template, and HTML made from plain text. Pure.

For markup that an administrator wrote, so it is small: lines, lists, links, the text of pictures. Mail from outside has
its own reader in the parser.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import Final

from shared.lazy_pattern import lazy_compile

_URL: Final = lazy_compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")


@lru_cache(maxsize=64)
def text_of(markup: str) -> str:
    """The text of markup: LF line ends, at most one empty line in a row. Variables in braces stay as they are."""
    from shared.mail_text.html_reader import TextReader  # only templates with HTML alone need it

    reader = TextReader()
    reader.feed(markup)
    reader.close()
    lines = [line.strip() for line in "".join(reader.pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def html_of(text: str) -> str:
    """Plain text as HTML: a paragraph for each block of lines, web addresses as links, nothing else is markup."""
    blocks = re.split(r"\n[ \t]*\n+", text.replace("\r\n", "\n").strip("\n"))
    return "\n".join(f"<p>{_linked(block)}</p>" for block in blocks if block.strip())


def _linked(block: str) -> str:
    parts, position = list[str](), 0
    for found in _URL.finditer(block):
        address = escape(found[0])
        parts += [escape(block[position : found.start()]), f'<a href="{address}">{address}</a>']
        position = found.end()
    return "".join([*parts, escape(block[position:])]).replace("\n", "<br>\n")
