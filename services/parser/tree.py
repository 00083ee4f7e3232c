"""The structure of a message: a tree of parts, whose contents are copied only on demand.

Takes the raw bytes, gives the root `Part`; decoding happens when `body` or `text` is read. Separate from `mime`,
which interprets the mail, because bounces and kinds are read from the same tree. The structure is found by
searching for delimiters in one buffer (RFC 2046 section 5.1), with bounds on depth and count, so that recursion
is limited. Attached mails (message/rfc822) have their own root as `children[0]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from services.parser import charset, transfer
from services.parser.bounds import Bounds
from services.parser.defects import Defects
from services.parser.headers import EMPTY, Headers, Parameterised, parameterised, parse_block
from shared.contracts.errors import BoundExceeded
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

__all__ = ["Headers", "Part", "parse", "walk"]

_MAILS = frozenset({"message/rfc822", "message/global", "message/news"})
_TEXTUAL = lazy_compile(r"text/|message/(?!rfc822|global$|news|partial|external-body)")
_TYPE = lazy_compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}$")
_END_OF_HEADERS = lazy_compile(rb"\n\r*\n")
_DELIMITER_LIKE = lazy_compile(rb"(?:^|\n)--([^\r\n]{1,300}+)\r?\n(?:content-[a-z-]{1,40}[ \t]*:|\r?\n)", re.IGNORECASE)
_FIRST_LINE = lazy_compile(rb"(?:>?From |[!-9;-~]{1,80}[ \t]{0,9}:)")
_MBOX_LINE = lazy_compile(rb">?From (?![ \t]*+:)")
"""What mbox files write above each mail; not the field, which may have blanks before its colon (RFC 5322, 4.5)."""
_LF, _CR = 10, 13
_LINE_ENDS = (_LF, _CR)


class Span(NamedTuple):
    """A range of a buffer, so that the structure is found without copying."""

    buffer: bytes
    start: int
    end: int

    def find(self, what: bytes, position: int) -> int:
        """Offset of `what` at or behind `position`, -1 when it is not inside."""
        return self.buffer.find(what, position, self.end)

    def bytes(self) -> bytes:
        """A copy of the bytes in the range."""
        return self.buffer[self.start : self.end]


@dataclass(frozen=True)
class Part:
    """One node. `content_type` is lower case and always of the form `type/subtype`."""

    content_type: str
    params: Mapping[str, str]
    headers: Headers
    encoding: str
    disposition: str | None
    filename: str | None
    content_id: str | None
    span: Span = field(repr=False)
    children: tuple[Part, ...]
    defects: Defects = field(repr=False)
    text_cap: int = 2 * 1024 * 1024

    @property
    def is_multipart(self) -> bool:
        """Whether the part is a container whose children were found."""
        return self.content_type.startswith("multipart/") and bool(self.children)

    @property
    def is_mail(self) -> bool:
        """Whether the part is an attached mail."""
        return self.content_type in _MAILS

    @property
    def wire(self) -> bytes:
        """The content as sent, transfer encoding not undone."""
        return self.span.bytes()

    @cached_property
    def body(self) -> bytes:
        """The content with its transfer encoding undone."""
        return transfer.decode(self.wire, self.encoding, self.defects)

    @cached_property
    def text(self) -> str | None:
        """Decoded text of a text part or of a report part, at most `text_cap` characters; None for others."""
        if not _TEXTUAL.match(self.content_type) or self.children:
            return None
        return self.decoded(self.body)

    def decoded(self, data: bytes) -> str:
        """`data` as text, in the charset of the part; at most `text_cap` characters."""
        if len(data) > self.text_cap * 4:
            self.defects.add("text-cut")
            data = data[: self.text_cap * 4]
        is_html = self.content_type == "text/html"
        decoded = charset.decode(data, self.params.get("charset"), self.defects, is_html=is_html)
        if len(decoded) > self.text_cap:
            self.defects.add("text-cut")
            decoded = decoded[: self.text_cap]
        return charset.with_lf(charset.without_nul(decoded, self.defects))


def walk(part: Part) -> Iterator[Part]:
    """The part and everything below it in the order of the mail, not entering attached mails."""
    stack = [part]
    while stack:
        here = stack.pop()
        yield here
        if not here.is_mail:
            stack.extend(reversed(here.children))


def parse(
    raw: bytes,
    bounds: Bounds = Bounds(),  # noqa: B008 frozen default
    defects: Defects | None = None,
    *,
    level: int = 1,
    parts: int = 0,
) -> Part:
    """The tree of a raw mail, or of an entity inside one: at `level`, when `parts` have been counted before.

    Raises `BoundExceeded` (`nesting`, `parts`, `headers`, `header-bytes`, `encoded-containers`) and
    nothing else.
    """
    found = Defects() if defects is None else defects
    return _Builder(bounds, parts, len(raw)).mail(Span(raw, 0, len(raw)), level, found)


def count(part: Part) -> int:
    """How many parts there are, attached mails and what is in them included."""
    stack, number = [part], 0
    while stack:
        number += 1
        stack.extend(stack.pop().children)
    return number


class _Builder:
    """Counts parts while the tree grows; one per mail."""

    def __init__(self, bounds: Bounds, parts: int, size: int) -> None:
        self.bounds = bounds
        self.parts = parts
        self.room = size * _MOST_COPIES
        """Bytes of containers that may still be decoded; each level is a copy of all levels below."""

    def mail(self, span: Span, depth: int, defects: Defects) -> Part:
        """Build a whole message; skips byte order marks and `From ` lines before its first header."""
        beginning = span.buffer[span.start : min(span.end, span.start + _BEGINNING)]
        # CR, CRLF and LF may all occur; lines end in CR when most do, else a CR is part of the line.
        if beginning.count(b"\r") - beginning.count(b"\r\n") > beginning.count(b"\n"):
            defects.add("bare-cr")
            data = span.bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            span = Span(data, 0, len(data))
        return self.part(_without_preface(span, defects), "text/plain", depth, defects)

    def part(self, span: Span, default: str, depth: int, defects: Defects) -> Part:
        """A header block and what follows it."""
        self._count(depth, defects)
        headers, content = self._headers(span, defects)
        content_type, params = _content_type(headers, content, default, self.bounds, defects)
        encoding = transfer.name_of(headers.get("content-transfer-encoding") or "")
        disposition, filename = _disposition(headers, params, self.bounds, defects)
        children: tuple[Part, ...] = ()
        if content_type.startswith("multipart/"):
            content, encoding = self._decoded_container(content, encoding, params, defects), "binary"
            children = self._multipart(content, content_type, params, depth, defects)
            if not children:  # cannot be split: read as text, the default of RFC 2045 section 5.2
                content_type = "text/plain"
        elif content_type in _MAILS:
            inner = Defects()
            content, encoding = self._decoded_container(content, encoding, EMPTY, inner), "binary"
            children = (self.mail(content, depth + 1, inner),)
        content_id = headers.get("content-id")
        return Part(
            content_type=content_type,
            params=params,
            headers=headers,
            encoding=encoding,
            disposition=disposition,
            filename=filename,
            content_id=content_id.strip("<> \t") or None if content_id else None,
            span=content,
            children=children,
            defects=defects,
            text_cap=self.bounds.text,
        )

    def _count(self, depth: int, defects: Defects) -> None:
        self.parts += 1
        if self.parts > self.bounds.parts:
            raise BoundExceeded("parts", f"more than {self.bounds.parts} parts")
        if depth > self.bounds.nesting:
            raise BoundExceeded("nesting", f"more than {self.bounds.nesting} levels")
        if depth == self.bounds.deep:
            defects.add("deep-nesting")

    def _headers(self, span: Span, defects: Defects) -> tuple[Headers, Span]:
        """The headers that `span` begins with, and what follows them."""
        buffer, start, end = span
        if buffer.startswith((b"\n", b"\r\n"), start):
            block, body = b"", buffer.index(b"\n", start) + 1
        elif found := _END_OF_HEADERS.search(buffer, start, end):
            block, body = buffer[start : found.start() + 1], found.end()
        else:
            block, body = buffer[start:end], end
        headers, early = parse_block(block, self.bounds, defects)
        return headers, Span(buffer, min(start + early if early >= 0 else body, end), end)

    def _decoded_container(self, content: Span, encoding: str, params: Mapping[str, str], defects: Defects) -> Span:
        """Decode the content of a container with a transfer encoding, which RFC 2045 section 6.4 forbids."""
        if encoding in ("7bit", "8bit", "binary"):
            return content
        defects.add("encoded-multipart")
        if _has_delimiter(content, params):
            return content
        self.room -= content.end - content.start
        if self.room < 0:
            raise BoundExceeded("encoded-containers", "multiparts or mails encoded within each other")
        decoded = transfer.decode(content.bytes(), encoding, defects)
        return Span(decoded, 0, len(decoded))

    def _multipart(
        self, content: Span, content_type: str, params: Mapping[str, str], depth: int, defects: Defects
    ) -> tuple[Part, ...]:
        """Children between the delimiters; empty when the content cannot be split."""
        default = "message/rfc822" if content_type == "multipart/digest" else "text/plain"
        spans = _spans(content, params.get("boundary", ""), self.bounds.parts, defects)
        children = []
        for span in spans:
            children.append(self.part(span, default, depth + 1, defects))  # noqa: PERF401 one frame less per level
        return tuple(children)


_BEGINNING = 2_048
_MOST_COPIES = 8
"""Most bytes of all decoded containers, as a multiple of the size of the mail."""


def _without_preface(span: Span, defects: Defects) -> Span:
    """The content after a byte order mark, empty lines and mbox `From ` lines."""
    buffer, start, end = span
    if buffer.startswith(b"\xef\xbb\xbf", start):
        start += 3
    first = start
    while first < end and buffer[first] in _LINE_ENDS:
        first += 1
    if first > start and _FIRST_LINE.match(buffer, first, end):
        defects.add("blank-lines-before-headers")
        start = first
    while _MBOX_LINE.match(buffer, start, end):
        line_end = buffer.find(b"\n", start, end)
        if line_end < 0:
            break
        defects.add("mbox-from-line")
        start = line_end + 1
    return Span(buffer, start, end)


def _content_type(
    headers: Headers, content: Span, default: str, bounds: Bounds, defects: Defects
) -> tuple[str, Mapping[str, str]]:
    """Type and parameters; an invalid type is replaced by the default (RFC 2045 section 5.2)."""
    values = headers.index.get("content-type")
    if not values or not any(values):
        return default, EMPTY
    parsed = parameterised(values[0], bounds) if len(values) == 1 else _true_type(values, content, bounds, defects)
    defects.take(parsed.defects)
    if _TYPE.match(parsed.value):
        return parsed.value, parsed.params
    if parsed.value == "text":
        return "text/plain", parsed.params
    defects.add("bad-content-type")
    if "boundary" in parsed.params:
        return "multipart/mixed", parsed.params
    return ("application/octet-stream" if "name" in parsed.params else default), parsed.params


_MOST_TYPES = 10
_HTML = lazy_compile(rb"\s{0,99}<(?:!doctype html|html|body|div|p|table)\b", re.IGNORECASE)


def _true_type(values: list[bytes], content: Span, bounds: Bounds, defects: Defects) -> Parameterised:
    """Of several Content-Type fields: the one whose boundary occurs, else the one that fits, else the first valid."""
    defects.add("several-content-types")
    found = [parameterised(value, bounds) for value in islice(filter(None, values), _MOST_TYPES)]
    if delimited := next((one for one in found if _has_delimiter(content, one.params)), None):
        return delimited
    valid = [one for one in found if _TYPE.match(one.value)]
    single = [one for one in valid if not one.value.startswith("multipart/")] or valid or found
    is_html = _HTML.match(content.buffer, content.start, content.end)
    return next((one for one in single if is_html and one.value == "text/html"), single[0])


def _has_delimiter(content: Span, params: Mapping[str, str]) -> bool:
    """Whether the boundary that parameters name occurs in the content."""
    boundary = params.get("boundary", "").encode("utf-8", "replace")
    return bool(boundary) and content.find(b"--" + boundary, content.start) >= 0


def _disposition(
    headers: Headers, params: Mapping[str, str], bounds: Bounds, defects: Defects
) -> tuple[str | None, str | None]:
    """Disposition word and the file name as the mail gives it."""
    name = _first_of(params, "name", "filename", "file")
    raw = headers.first("content-disposition")
    if not raw:
        return None, name
    parsed = parameterised(raw, bounds)
    defects.take(parsed.defects)
    return parsed.value or None, _first_of(parsed.params, "filename", "name") or name


def _first_of(params: Mapping[str, str], *names: str) -> str | None:
    return next(filter(None, map(params.get, names)), None)


def _spans(content: Span, boundary: str, limit: int, defects: Defects) -> list[Span]:
    """Each child between delimiter lines; if the declared delimiter is missing, lines that look like one are used."""
    if not boundary:
        defects.add("no-boundary")
    delimiter = boundary.encode("utf-8", "replace").rstrip()
    spans = _split(content, delimiter, limit, defects) if delimiter else []
    if spans:
        return spans
    if boundary:
        defects.add("boundary-not-found")
    guessed = _DELIMITER_LIKE.search(content.buffer, max(content.start - 1, 0), content.end)
    return _split(content, guessed[1].rstrip(b" \t"), limit, defects) if guessed else []


def _split(content: Span, boundary: bytes, limit: int, defects: Defects) -> list[Span]:
    """Split at every delimiter line; the text after the close delimiter is ignored."""
    spans: list[Span] = []
    opened = -1
    for found, line_end, closes in _delimiters(content, b"--" + boundary):
        if 0 <= opened < found:  # no part between two adjacent delimiters
            spans.append(Span(content.buffer, opened, _before_delimiter(content.buffer, opened, found)))
            if len(spans) > limit:
                raise BoundExceeded("parts", f"more than {limit} parts")
        opened = min(line_end + 1, content.end)
        if closes:
            return spans
    if opened >= 0:
        defects.add("no-close-delimiter")
        spans.append(Span(content.buffer, opened, content.end))
    return spans


def _delimiters(content: Span, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
    """(offset, end of line, whether it closes) of each line that contains only the delimiter."""
    buffer, start, end = content
    position, false_hits = start, 0
    while false_hits < _MANY and (found := content.find(delimiter, position)) >= 0:
        position = found + len(delimiter)
        if found == start or buffer[found - 1] in _LINE_ENDS:
            line_end = buffer.find(b"\n", position, min(position + _LONGEST_TAIL, end))
            if line_end < 0 and end - position <= _LONGEST_TAIL:
                line_end = end
            rest = buffer[position:line_end].strip() if line_end >= 0 else b"?"
            if rest in (b"", b"--"):
                yield found, line_end, rest == b"--"
                position = line_end
                continue
        false_hits += 1
    if false_hits == _MANY:
        exact = re.compile(rb"[\r\n]" + re.escape(delimiter) + rb"(--)?[ \t\r]*(?=\n|\Z)")
        for match in exact.finditer(buffer, max(position - 1, start), end):
            yield match.start() + 1, match.end(), match[1] is not None


_MANY = 1_000
"""False matches of the delimiter after which a regular expression is compiled for it."""
_LONGEST_TAIL = 200
"""Blanks that may follow a delimiter on its line."""


def _before_delimiter(buffer: bytes, start: int, found: int) -> int:
    """The line end before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1)."""
    if found > start and buffer[found - 1] == _LF:
        found -= 1
        if found > start and buffer[found - 1] == _CR:
            found -= 1
    return max(found, start)
