"""Reads header blocks: raw lines to names and values, values to text and parameters.

Takes bytes as they arrived and gives `Headers` (decoded on demand) and the parameters of Content-Type and
Content-Disposition. Separate from the MIME tree because it does not need bodies. Encoded words are read as mail
programs write them, not only as RFC 2047 requires; so are parameters (RFC 2045 section 5.1, RFC 2231).
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from services.parser import charset
from services.parser.bounds import Bounds
from services.parser.defects import Defects
from shared.contracts.errors import BoundExceeded
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

_FOLD = lazy_compile(rb"\n(?=[ \t])")
_NAME = lazy_compile(rb"[!-9;-~]{1,998}+$")
_CONTROL = lazy_compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
_KNOWN = lazy_compile(
    rb"(?:received|from|to|cc|bcc|subject|date|sender|reply-to|message-id|mime-version|content-[a-z-]{1,40}"
    rb"|return-path|delivered-to|in-reply-to|references|x-[a-z0-9-]{1,80}|dkim-signature|list-[a-z-]{1,40}"
    rb"|resent-[a-z-]{1,40}|importance|precedence|auto-submitted|thread-[a-z]{1,20}|user-agent)[ \t]{0,20}$",
    re.IGNORECASE,
)
EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Headers:
    """The header fields of one part, in order; names are compared without case."""

    raw: tuple[tuple[str, bytes], ...]
    """(name in lower case, value as sent: unfolded, not decoded)."""
    index: Mapping[str, list[bytes]] = field(repr=False)
    defects: Defects = field(repr=False)
    cap: int = 64 * 1024
    decoded: dict[bytes, str] = field(default_factory=dict, repr=False, compare=False)
    """Cache of long decoded values, which several readers use."""

    def get(self, name: str) -> str | None:
        """First value of `name` as one decoded line, None when absent."""
        values = self.index.get(name.lower())
        return self.text(values[0]) if values else None

    def all(self, name: str, most: int = 50) -> list[str]:
        """The first `most` values of `name`, decoded, in the order of the mail; at most `cap` bytes of them in all."""
        values = self.index.get(name.lower(), [])
        found, left = [], self.cap
        for value in values[:most]:
            if left <= 0:
                break
            found.append(self.text(value[:left]))
            left -= len(value)
        if left < 0 or len(values) > most:
            self.defects.add("headers-capped")
        return found

    def first(self, name: str) -> bytes | None:
        """First value of `name` as sent, None when absent."""
        values = self.index.get(name.lower())
        return values[0] if values else None

    def text(self, value: bytes) -> str:
        """One raw value as a decoded line of at most `cap` bytes."""
        if len(value) > self.cap:
            self.defects.add("header-truncated")
            value = value[: self.cap]
        if len(value) < _LONG:
            return decode_value(value, self.defects)
        if value not in self.decoded:
            self.decoded[value] = decode_value(value, self.defects)
        return self.decoded[value]

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.index

    def has_any(self, names: frozenset[str]) -> bool:
        """Whether there is a field of one of these names, which are in lower case."""
        return not names.isdisjoint(self.index)


_LONG = 2_000
"""Bytes from which a decoded value is cached."""


def parse_block(block: bytes, bounds: Bounds, defects: Defects) -> tuple[Headers, int]:
    """Headers of `block`, and the offset in it at which the body begins when no empty line marks it, else -1."""
    if len(block) > bounds.header_bytes:
        raise BoundExceeded("header-bytes", f"{len(block)} bytes in one header block")
    unfolded = _unfolded(block)
    if (count := unfolded.count(b"\n")) >= bounds.headers:
        raise BoundExceeded("headers", f"{count + 1} lines in one header block")
    lines = unfolded.split(b"\n") if block else []
    raw, stop = _fields(lines, defects)
    if not block.isascii():
        raw = _in_utf8(raw, defects)
    index: dict[str, list[bytes]] = {}
    for key, value in raw:
        index.setdefault(key, []).append(value)
    return Headers(tuple(raw), index, defects, bounds.value_bytes), -1 if stop < 0 else _offset_of_line(block, stop)


def _unfolded(block: bytes) -> bytes:
    """`block` without the line ends that a blank or tab follows (RFC 5322 section 2.2.3)."""
    *folded, last = _FOLD.split(block)
    return b"".join([*(line.rstrip(b"\r") for line in folded), last]) if folded else block


def _fields(lines: list[bytes], defects: Defects) -> tuple[list[tuple[str, bytes]], int]:
    """Names in lower case with their values, and the number of the first line after the headers, else -1."""
    found: list[tuple[str, bytes]] = []
    ahead = _LookAhead(lines)
    for number, line in enumerate(lines):
        name, colon, value = line.partition(b":")
        if colon and (_NAME.match(name) or _NAME.match(name := name.rstrip(b" \t"))):
            key = name.decode("ascii").lower()
            if key in _WITH_PARAMETERS and b":" in value:
                found += _unglued(key, value, defects)
            else:
                found.append((key, value.strip(b" \t\r")))
        elif line.strip() and not ahead.may_skip(number, found, defects):
            defects.add("missing-header-separator")
            return found, number
    return found, -1


_WITH_PARAMETERS = frozenset({"content-type", "content-transfer-encoding", "content-disposition", "mime-version"})
_GLUED = lazy_compile(
    rb"(?:\A|[\s;\"])(content-(?:type|transfer-encoding|disposition|id|description|location)|mime-version"
    rb"|message-id|in-reply-to|references|subject|date|from|to|cc|reply-to|x-[a-z-]{1,40}+)[ \t]{0,9}:",
    re.IGNORECASE,
)
_IN_NAME = lazy_compile(rb"name(?:\*\d{0,3}\*?)?[ \t]{0,9}=[^\";]*\Z", re.IGNORECASE)


def _unglued(key: str, value: bytes, defects: Defects) -> list[tuple[str, bytes]]:
    """The field, and the fields that follow on its line where a line end is missing."""
    fields: list[tuple[str, bytes]] = []
    start = quotes = counted = 0
    for match in _GLUED.finditer(value[:_LONGEST_GLUED]):
        at = match.start(1)
        quotes += value.count(b'"', counted, at)
        counted = at
        mime = match[1].lower().startswith((b"content-", b"mime-"))
        if quotes % 2 or (not mime and _IN_NAME.search(value, max(start, at - 300), at)):
            continue
        fields.append((key, value[start:at].strip(b" \t\r;")))
        key, start = match[1].decode("ascii").lower(), match.end()
        defects.add("glued-headers")
    return [*fields, (key, value[start:].strip(b" \t\r"))]


_LONGEST_GLUED = 16 * 1024


class _LookAhead:
    """Decides whether the header block continues after an invalid line. Each line is read once."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.names: list[bytes] = []
        self.essential: dict[str, list[int]] = {}
        """Numbers of the lines that begin with a field that every mail has, by name."""
        self.taken = 0

    def may_skip(self, number: int, seen: list[tuple[str, bytes]], defects: Defects) -> bool:
        """Whether to skip an invalid line, because the header block continues after it."""
        if self.lines[number].startswith((b"From ", b">From ")):
            defects.add("mbox-from-line")
            return True
        if not self._continues(number + 1, seen):
            return False
        defects.add("garbage-in-headers")
        return True

    def _continues(self, number: int, seen: list[tuple[str, bytes]]) -> bool:
        """Whether well-known fields follow, or essential fields that this mail did not have yet."""
        if not self.names:
            self._look()
        near = self.names[number : number + _NEAR]
        known = sum(1 for name in near if _KNOWN.match(name))
        if known and known * 2 >= len(near):
            return True
        for name, _ in seen[self.taken :]:
            self.essential.pop(name, None)
        self.taken = len(seen)
        missing = self.essential.values()
        return sum(bisect_left(at, number + _FAR) - bisect_left(at, number) for at in missing) > 1

    def _look(self) -> None:
        self.names = [line.partition(b":")[0].strip().lower() if b":" in line else b"" for line in self.lines]
        for number, name in enumerate(self.names):
            if (text := name.decode("latin-1")) in _ESSENTIAL:
                self.essential.setdefault(text, []).append(number)


_NEAR, _FAR = 12, 200
"""Lines after an invalid line that are searched for fields."""
_ESSENTIAL = frozenset({"from", "to", "date", "subject", "message-id", "mime-version", "content-type"})


def _in_utf8(raw: list[tuple[str, bytes]], defects: Defects) -> list[tuple[str, bytes]]:
    """Convert raw 8-bit values to UTF-8; the charset is detected for the whole block, since one value is too short."""
    foreign = [value for _, value in raw if not value.isascii() and not charset.is_utf8(value)]
    if not foreign:
        return raw
    defects.add("raw-8bit-header")
    label = next((value for name, value in raw if name == "content-type"), b"")
    joined = b"\n".join(foreign)[:8_192]
    hint = charset.likely_codec(joined, _label_in(label))
    return [
        (name, value if value.isascii() else _guessed(value, hint, number)) for number, (name, value) in enumerate(raw)
    ]


def _guessed(value: bytes, hint: str, number: int) -> bytes:
    text = charset.guess(value, hint) if number < _MOST_GUESSES else value.decode(hint, "replace")
    return text.encode("utf-8", "replace")


_MOST_GUESSES = 1_000
"""Most fields of a block whose charset is detected separately when the block's does not fit."""


def _label_in(content_type: bytes) -> str | None:
    found = _CHARSET.search(content_type, 0, 2_000)
    return found[1].decode("ascii", "replace") if found else None


_CHARSET = lazy_compile(rb"charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)


def _offset_of_line(block: bytes, number: int) -> int:
    """Offset of the logical (unfolded) line `number`."""
    position = seen = 0
    while seen < number:
        position = block.index(b"\n", position) + 1
        if block[position : position + 1] not in (b" ", b"\t"):
            seen += 1
    return position


def decode_value(value: bytes, defects: Defects) -> str:
    """A raw header value as one line: encoded words decoded, 8-bit charset detected, control characters as blanks."""
    text = raw_text(value, defects)
    if "\x1b" in text and value.isascii():
        text = charset.guess(value)
    if "=?" in text:
        text = decode_words(text, defects)
    if text.isprintable():
        return text
    return _CONTROL.sub(" ", charset.scalar(charset.without_nul(text, defects))).strip()


def raw_text(value: bytes, defects: Defects) -> str:
    """A raw value as text; the charset of 8-bit characters is detected."""
    if value.isascii():
        return value.decode("ascii")
    defects.add("raw-8bit-header")
    return charset.guess(value)


@dataclass(slots=True)
class _Run:
    """Adjacent encoded words of one charset: their bytes are joined before decoding."""

    label: str
    data: list[bytes]

    def continues(self, label: str) -> bool:
        """Whether a word of charset `label` belongs to the run."""
        return self.label == label or _codec_of(self.label) == _codec_of(label)

    def text(self, defects: Defects) -> str:
        return charset.decode(b"".join(self.data), self.label or "unknown", defects)


def decode_words(text: str, defects: Defects) -> str:
    """`text` with its encoded words decoded (RFC 2047), those inside quotes and broken ones included."""
    pieces: list[str | _Run] = []
    position = 0
    for start, stop, label, data in _words(text, defects):
        between, last = text[position:start], pieces[-1] if pieces else None
        if not isinstance(last, _Run) or between.strip():
            pieces += [between, _Run(label, [data])]
        elif last.continues(label):
            last.data.append(data)
        else:
            pieces.append(_Run(label, [data]))
        position = stop
    decoded = (piece if isinstance(piece, str) else piece.text(defects) for piece in pieces)
    return "".join([*decoded, text[position:]])


def _codec_of(label: str) -> str:
    return charset.codec_name(label) or label.lower()


def _words(text: str, defects: Defects) -> list[tuple[int, int, str, bytes]]:
    """(start, stop, charset, bytes) of each encoded word. Linear: each search continues where the last one ended."""
    found = []
    position = 0
    last_end = text.rfind("?=")
    while (start := text.find("=?", position)) >= 0:
        middle = text.find("?", start + 2)
        if middle < 0:
            break
        kind = text[middle + 1 : middle + 3].lower()
        if kind not in ("b?", "q?") or middle - start > 80 or " " in text[start:middle]:
            position = start + 2
            continue
        stop = text.find("?=", middle + 3) if middle + 3 <= last_end else -1
        after = stop + 2
        if stop < 0:
            defects.add("broken-encoded-word")
            stop = after = _end_of_unclosed(text, middle + 3)
        encoded = text[middle + 3 : stop]
        data = _word_bytes(encoded, kind, defects)
        if data is None:
            position = middle + 3
            continue
        found.append((start, after, text[start + 2 : middle], data))
        position = after
    return found


def _end_of_unclosed(text: str, start: int) -> int:
    """End of an encoded word without its terminator: the next blank."""
    blank = text.find(" ", start)
    return blank if blank >= 0 else len(text)


def _word_bytes(encoded: str, kind: str, defects: Defects) -> bytes | None:
    raw = encoded.encode("utf-8", "surrogateescape")
    if kind == "q?":
        if " " in encoded or not encoded.isascii():
            defects.add("broken-encoded-word")
        return binascii.a2b_qp(raw.replace(b"\r", b"").replace(b"\n", b""), header=True)
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    if len(letters) != len(raw.rstrip(b"=")) or len(letters) % 4 == 1:
        defects.add("broken-encoded-word")
    if not letters and raw.strip():
        return None
    letters = letters[: len(letters) - (1 if len(letters) % 4 == 1 else 0)]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


@dataclass(frozen=True, slots=True)
class Parameterised:
    """A value with parameters: `text/plain; charset=utf-8` (names in lower case, values decoded)."""

    value: str
    params: Mapping[str, str]
    defects: tuple[str, ...] = ()


_END = r"(?=[ \t]{0,20}(?:;|$|[\w*-]{1,40}[ \t]{0,9}=))"
_SUFFIX = r"(?:(?<=\.[A-Za-z0-9]{3})|(?<=\.[A-Za-z0-9]{4}))(?=;|$)"
_QUOTED = rf'"(?:[^"\\]|\\.)*+(?:"(?!{_END})[^";]*+(?:(?=")|{_SUFFIX}))*+"?'
"""A quotation mark ends a value where a parameter may end; other ones belong to it (`30" wide screen.jpg`)."""
_PARAMETER = lazy_compile(rf'([^\s=;"]{{1,200}})[ \t]{{0,20}}=[ \t]{{0,20}}({_QUOTED}|[^;]*+)', re.DOTALL)
_BETWEEN = lazy_compile(r"[\s;]*+")
_VALUE = lazy_compile(r"\s*([^\s;,]*(?:\s*/\s*[^\s;,]+)?)")
_CONTINUED = lazy_compile(r"([^*]+)\*(?:(\d{1,4})(\*)?)?$")


def parameterised(value: bytes, bounds: Bounds) -> Parameterised:
    """A Content-Type or Content-Disposition value, read tolerantly."""
    read = _short_parameterised if len(value) < 300 else _parameterised
    return read(value, bounds.parameters, bounds.value_bytes)


def _parameterised(value: bytes, limit: int, cap: int) -> Parameterised:
    defects = Defects()
    if len(value) > cap:
        defects.add("header-truncated")
        value = value[:cap]
    text = charset.without_nul(raw_text(value, defects), defects)
    head = _VALUE.match(text)
    main = "".join(head[1].split()).lower() if head else ""
    if "=" in main:
        main, position = "", 0
    else:
        position = head.end() if head else 0
    pairs = _pairs(text, position, limit, defects)
    return Parameterised(main, MappingProxyType(_joined(pairs, defects)) if pairs else EMPTY, defects.words())


_short_parameterised = lru_cache(maxsize=2_048)(_parameterised)


def _pairs(text: str, position: int, limit: int, defects: Defects) -> list[tuple[str, str]]:
    """(name, value) in order. Linear: each step starts after the last one."""
    pairs: list[tuple[str, str]] = []
    for _ in range(limit):
        between = _BETWEEN.match(text, position)
        position = between.end() if between else position
        if position >= len(text):
            return pairs
        if match := _PARAMETER.match(text, position):
            pairs.append((match[1].lower(), _unquoted(match[2])))
            position = match.end()
        else:
            position = text.find(";", position)
            if position < 0:
                return pairs
    defects.add("parameters-capped")
    return pairs


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value.strip()
    return value[1:].removesuffix('"').replace('\\"', '"').replace("\\\\", "\\")


def _joined(pairs: list[tuple[str, str]], defects: Defects) -> dict[str, str]:
    """Plain parameters, the first of each name winning, then continued and encoded ones (RFC 2231)."""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in pairs:
        if "*" in name and (match := _CONTINUED.match(name)):
            number, encoded = int(match[2] or 0), bool(match[3]) or match[2] is None
            pieces.setdefault(match[1], {}).setdefault(number, (value, encoded))
        elif name in plain:
            defects.add("duplicate-parameter")
        else:
            plain[name] = decode_words(value, defects) if "=?" in value else value
    for name, numbered in pieces.items():
        plain[name] = _continued(numbered, defects)
    return plain


def _continued(numbered: Mapping[int, tuple[str, bool]], defects: Defects) -> str:
    """Pieces in the order of their numbers; a gap or an invalid number is noted as a defect and skipped."""
    order = sorted(numbered)
    if order != list(range(len(order))) and order != list(range(1, len(order) + 1)):
        defects.add("broken-parameter")
    label, data = "", []
    for place, number in enumerate(order):
        value, encoded = numbered[number]
        if place == 0 and encoded and value.count("'") >= 2:
            label, _, value = value.split("'", 2)
        data.append(unquote_to_bytes(value) if encoded else value.encode("utf-8", "replace"))
    joined = b"".join(data)
    text = charset.decode(joined, label or "utf-8", defects)
    return decode_words(text, defects) if "=?" in text else text
