"""Reads the text of an HTML template. Separate from `html_text`: a desk without such templates loads no parser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

_PARAGRAPHS: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre"})
_LINES: Final = frozenset({"div", "tr", "li", "br", "hr", "section", "header", "footer"})
_HIDDEN: Final = frozenset({"style", "script", "head", "title"})


class TextReader(HTMLParser):
    """Collects the text of markup in `pieces`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.hidden = 0
        self.links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, a list item or a link."""
        given = dict(attrs)
        self.hidden += tag in _HIDDEN
        self._break(tag)
        if tag == "li":
            self.pieces.append("- ")
        elif tag == "img":
            self.pieces.append(given.get("alt") or "")
        elif tag == "a":
            self.links.append((given.get("href") or "", len(self.pieces)))

    def handle_endtag(self, tag: str) -> None:
        """End a line; name the address of a link whose text is another."""
        self.hidden -= tag in _HIDDEN and self.hidden > 0
        if tag == "a" and self.links:
            address, start = self.links.pop()
            shown = "".join(self.pieces[start:]).strip()
            if address and address.removeprefix("mailto:") != shown:
                self.pieces.append(f" <{address}>")
        if tag != "br":
            self._break(tag)

    def handle_data(self, data: str) -> None:
        """Text that is shown, with blanks as a browser shows them."""
        if not self.hidden:
            self.pieces.append(re.sub(r"[ \t\r\n\f]+", " ", data))

    def _break(self, tag: str) -> None:
        if tag in _PARAGRAPHS or tag in _LINES:
            self.pieces.append("\n\n" if tag in _PARAGRAPHS else "\n")
