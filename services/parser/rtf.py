"""Outlook's compressed RTF body as plain text (MS-OXRTFCP, MS-OXRTFEX).

Takes the bytes of PidTagRtfCompressed, gives text; used when a winmail.dat has no other body, and, without the
compression, for a mail that is text/rtf alone. Separate from `tnef` because compression and markup are two more
formats. Output is bounded: a few bytes can claim any length.
"""

from __future__ import annotations

import re
import struct
from itertools import islice

from services.parser import charset
from shared.lazy_pattern import lazy_compile

_COMPRESSED, _PLAIN = b"LZFu", b"MELA"
_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_LARGEST = 2 * 1024 * 1024
_MOST_TOKENS = 500_000
_WINDOW = 4_096


def decompressed(data: bytes) -> bytes:
    """Decompress the RTF, as far as it can be read."""
    if len(data) < 16:
        return b""
    _, size, magic, _ = struct.unpack_from("<II4sI", data)
    if magic == _PLAIN:
        return data[16 : 16 + min(size, _LARGEST)]
    return _inflated(data, min(size, _LARGEST)) if magic == _COMPRESSED else b""


def _inflated(data: bytes, size: int) -> bytes:
    """References into a window of 4 KB that starts out filled with common RTF."""
    out = bytearray(_DICTIONARY)
    start, position = len(out), 16
    while position < len(data) and len(out) - start < size:
        control = data[position]
        position += 1
        for bit in range(8):
            if position >= len(data):
                break
            if not control >> bit & 1:
                out.append(data[position])
                position += 1
                continue
            if position + 1 >= len(data):
                return bytes(out[start:])
            token = data[position] << 8 | data[position + 1]
            position += 2
            offset, length = token >> 4, (token & 15) + 2
            distance = (len(out) - offset) % _WINDOW
            if distance == 0:
                return bytes(out[start : start + size])
            _copy(out, distance, length)
    return bytes(out[start : start + size])


def _copy(out: bytearray, distance: int, length: int) -> None:
    """Append bytes that begin `distance` bytes before the end; the source may overlap the appended bytes."""
    if length <= distance <= len(out):
        start = len(out) - distance
        out += out[start : start + length]
        return
    for _ in range(length):
        out.append(out[-distance] if distance <= len(out) else 32)


_TOKEN = lazy_compile(
    rb"\\(?:([a-z]{1,32})(-?\d{1,10})?[ ]?|'([0-9a-f]{2})|([^a-z]))|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\", re.IGNORECASE
)
_SILENT = frozenset({
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "footer", "generator", "listtable",
    "listoverridetable", "rsidtbl", "themedata", "colorschememapping", "latentstyles", "datastore", "xmlnstbl",
    "fldinst",
})  # fmt: skip
_WORDS = {
    "par": "\n", "line": "\n", "row": "\n", "tab": "\t", "cell": "\t", "emdash": "\u2014", "endash": "\u2013",
    "lquote": "\u2018", "rquote": "\u2019", "ldblquote": "\u201c", "rdblquote": "\u201d", "bullet": "\u2022",
}  # fmt: skip
_MOST_GROUPS = 2_000


class _Reader:
    """Follows groups: which are silent, how many fallback characters follow a Unicode one."""

    def __init__(self, codepage: str) -> None:
        self.codec = charset.codec_name(codepage) or "cp1252"
        self.out: list[str] = []
        self.pending = bytearray()
        self.silent = [False]
        self.from_html = False
        self.fallback = 1
        self.skip = 0

    def flush(self) -> None:
        if self.pending:
            self.out.append(bytes(self.pending).decode(self.codec, "replace"))
            self.pending.clear()

    def word(self, word: str, number: int | None) -> None:
        if word == "ansicpg" and number and (codec := charset.codec_name(f"cp{number}")):
            self.codec = codec
        elif word == "fromhtml":
            self.from_html = True
        elif word == "htmlrtf":
            self.silent[-1] = number != 0
        elif word in _SILENT:
            self.silent[-1] = True
        elif word == "uc" and number is not None:
            self.fallback = max(0, min(number, 10))
        elif word == "u" and number is not None and not self.silent[-1]:
            self.flush()
            self.out.append(charset.scalar(chr(number % 65_536)))
            self.skip = self.fallback
        elif word in _WORDS and not self.silent[-1]:
            self.flush()
            self.out.append(_WORDS[word])

    def data(self, piece: bytes) -> None:
        if self.skip:
            cut = min(self.skip, len(piece))
            self.skip -= cut
            piece = piece[cut:]
        if not self.silent[-1]:
            self.pending += piece

    def symbol(self, piece: bytes) -> None:
        if piece == b"*":
            self.silent[-1] = True
        elif piece in b"\\{}":
            self.data(piece)
        elif piece == b"~":
            self.data(b" ")


def to_text(markup: bytes, codepage: str) -> str:
    """Plain text of RTF: paragraphs as lines, no formatting."""
    reader = _Reader(codepage)
    for match in islice(_TOKEN.finditer(markup), _MOST_TOKENS):
        word, number, code, symbol, brace, plain = match.groups()
        if word:
            reader.word(word.decode("ascii").lower(), int(number) if number else None)
        elif code:
            reader.data(bytes((int(code, 16),)))
        elif symbol:
            reader.symbol(symbol)
        elif brace == b"{":
            if len(reader.silent) < _MOST_GROUPS:
                reader.silent.append(reader.silent[-1])
        elif brace:
            if len(reader.silent) > 1:
                reader.silent.pop()
        elif plain:
            reader.data(plain)
    reader.flush()
    return re.sub(r"\n{3,}", "\n\n", "".join(reader.out).replace("\0", "")).strip()
