"""Mails that grow, made of what a mail is made of: a piece is taken out and repeated, nested or interleaved.

`growing` gives a function from a number of repetitions to a mail, so that the cost of one can be compared with that of
twice as many. Pieces are lines, fields, parts, tags, encoded words, words and plain bytes of the mail or of a body in
base64, tokens that mean something to a parser, and the properties of a winmail.dat.
"""

from __future__ import annotations

import base64
import binascii
import random
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_BODY = re.compile(rb"base64[^\n]*\n(?:[^\n]+\n)*\r?\n([A-Za-z0-9+/=\r\n]{40,})", re.IGNORECASE)
_PROPERTIES = b"\x03\x90\x06\x00"
"""attMsgProps (MS-OXTNEF section 2.1.3.3), as it stands in the stream."""
_WORD = re.compile(rb"[A-Za-z0-9.@-]{1,30}[^A-Za-z0-9\s]?")
_TAG = re.compile(rb"<[^<>]{0,80}>[^<]{0,20}")
_ENCODED_WORD = re.compile(rb"=\?[^?\s]*\?[bqBQ]?\??[^?\s]*(?:\?=)?\s?")
_FIELD = re.compile(rb"^[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*", re.MULTILINE)
_LINE = re.compile(rb"[^\n]*\n")
_PART = re.compile(rb"--[^\n]*\n(?:(?!--)[^\n]*\n){0,40}")
_SHAPES = (_WORD, _TAG, _ENCODED_WORD, _FIELD, _LINE, _PART)

OWN_PIECES, IN_HEADER = 0.6, 0.4
"""How often a piece is the mail's own, and how often it grows in the header."""
Place = tuple[int, int]
Series = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Growing:
    """A mail with one piece as often as asked for; `words` say what grows, and how."""

    words: str
    head: bytes
    series: Series
    tail: bytes
    wrap: Callable[[bytes], bytes] = bytes
    """What the grown stretch is encoded with, for instance base64."""

    def mail(self, times: int) -> bytes:
        """The mail with so many repetitions."""
        return self.head + self.wrap(self.series(times)) + self.tail


def growing(mail: bytes, tokens: Sequence[bytes], rng: random.Random) -> Growing:
    """A mail that grows from this one."""
    if (body := rng.choice([None, _BODY.search(mail)])) and (inner := _decoded(body[1])):
        made = _winmail(inner, rng) or _of(inner, tokens, rng)
        return Growing(
            f"in base64, {made.words}",
            mail[: body.start(1)],
            made.mail,
            mail[body.end(1) :],
            base64.encodebytes,
        )
    return _of(mail, tokens, rng)


def times_for(grown: Growing, size: int) -> int:
    """How often for a mail that is larger by about so many bytes."""
    return max(8, 64 * size // max(1, len(grown.mail(64)) - len(grown.mail(0))))


def _of(data: bytes, tokens: Sequence[bytes], rng: random.Random) -> Growing:
    start, end = _place(data, rng)
    piece = data[start:end] if end > start and rng.random() < OWN_PIECES else rng.choice(tokens)
    other = data[slice(*_place(data, rng))] if rng.random() < OWN_PIECES else b""
    other = other or rng.choice(tokens)
    how, series = _series(piece, other, rng)
    return Growing(f"{how} {piece[:60]!r}, {other[:40]!r}", data[:start], series, data[end:])


def _place(data: bytes, rng: random.Random) -> Place:
    """Where a piece of some shape lies; plain bytes when there is none."""
    end = data.find(b"\n\r\n") if rng.random() < IN_HEADER else len(data)
    begin = rng.randrange(max(0, end) + 1)
    shape = rng.choice((*_SHAPES, None))
    found = shape.search(data, max(0, begin - 200)) if shape else None
    return found.span() if found else (begin, begin + rng.choice((0, 1, 2, 4, 12, 40)))


def _series(piece: bytes, other: bytes, rng: random.Random) -> tuple[str, Series]:
    closing = _closing(piece) or other
    table: dict[str, Series] = {
        "repeat": lambda n: piece * n,
        "number": lambda n: b"".join(_numbered(piece, place) for place in range(n)),
        "interleave": lambda n: (piece + other) * n,
        "nest": lambda n: piece * n + closing * n,
        "nest and fill": lambda n: (piece * (n // 8) + other * 4 + closing * (n // 8)) * 4,
        "first one, then the other": lambda n: piece * n + other * n,
        "behind the other": lambda n: other * n + piece,
    }
    how = rng.choice(list(table))
    return how, table[how]


def _closing(piece: bytes) -> bytes:
    """What ends a piece that begins something."""
    if found := re.match(rb"<([A-Za-z][A-Za-z0-9]*)", piece):
        return b"</" + found[1] + b">"
    pairs = {b"(": b")", b"<": b">", b"[": b"]", b'"': b'"', b"{": b"}"}
    return pairs.get(piece[:1], b"")


def _numbered(piece: bytes, place: int) -> bytes:
    """The piece with a number of its own in it, so that no two are the same."""
    middle = len(piece) // 2
    return b"%b%d%b" % (piece[:middle], place, piece[middle:])


def _decoded(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return None


def _winmail(data: bytes, rng: random.Random) -> Growing | None:
    """Some bytes of the message's properties, again and again, with a count that promises as many."""
    at = data.find(_PROPERTIES)
    if at < 0 or len(data) < at + 12:
        return None
    (size,) = struct.unpack_from("<I", data, at + 4)
    stream = data[at + 8 : at + 8 + size]
    start = 4 + 4 * rng.randrange(max(1, len(stream) // 4))
    piece = stream[start : start + 4 * rng.choice((1, 2, 3, 4, 8))] or b"\x0b\x10\x01\x00\xff\xff\xff\x7f"
    count = rng.choice((0x7FFFFFFF, 10_000, None))

    def series(times: int) -> bytes:
        grown = struct.pack("<I", times if count is None else count) + stream[4:start] + piece * times + stream[start:]
        checksum = sum(grown) & 0xFFFF
        return struct.pack("<I", len(grown)) + grown + struct.pack("<H", checksum)

    words = f"repeat the properties {piece.hex()} of a winmail.dat"
    return Growing(words, data[: at + 4], series, data[at + 8 + size + 2 :])
