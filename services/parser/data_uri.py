"""Takes the pictures out of HTML that holds them in `data:` URIs (RFC 2397).

Takes markup, gives it with `cid:` URIs in their place, and the files: sanitising removes `data:` URIs, whose pictures
would be lost. Only URIs in tags count; words that quote one stay.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import field
from html import unescape
from urllib.parse import unquote_to_bytes

from services.parser import transfer
from services.parser.defects import Defects
from services.parser.htmltree.tokens import TooComplexError, tokens
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

_URI = lazy_compile(
    r"""(=\s{0,9}(?:"\s{0,9}|'\s{0,9})?|url\(\s{0,9}(?:&quot;|["'])?)"""
    r"""(data:(?:(?<="data:)[^"]*+|(?<='data:)[^']*+|[^\s"'>)&]*+))""",
    re.IGNORECASE,
)
_HEAD = lazy_compile(r"data:\s{0,9}([^,;\s]{0,127})([^,]{0,500}),", re.IGNORECASE)
_TYPE = lazy_compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}")


@dataclass(slots=True)
class Extractor:
    """Collects the files of one mail; equal ones are one."""

    defects: Defects
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Type and bytes by content id."""

    def without_data(self, markup: bytes) -> bytes:
        """`markup`, in which each `data:` URI that can be read is the `cid:` URI of a file."""
        if b"data:" not in markup.lower():
            return markup
        text = markup.decode("latin-1")
        out, position = [], 0
        try:
            for start, end, *_ in tokens(text):
                if "data:" in text[start:end].lower():
                    out += [text[position:start], _URI.sub(self._replaced, text[start:end])]
                    position = end
        except TooComplexError:
            self.defects.add("broken-data-uri")
        return "".join([*out, text[position:]]).encode("latin-1")

    def _replaced(self, match: re.Match[str]) -> str:
        uri = unescape(match[2])
        head = _HEAD.match(uri)
        content = _content(uri, head) if head else b""
        if not head or not content:
            self.defects.add("broken-data-uri")
            return match[0]
        content_id = f"{hashlib.sha256(content).hexdigest()[:32]}@data.invalid"
        kind = head[1].lower()
        self.files.setdefault(content_id, (kind if _TYPE.fullmatch(kind) else "text/plain", content))
        return f"{match[1]}cid:{content_id}"


def _content(uri: str, head: re.Match[str]) -> bytes:
    data = unquote_to_bytes(uri[head.end() :].encode("latin-1", "replace"))
    return transfer.from_base64(data, Defects()) if "base64" in head[2].lower() else data
