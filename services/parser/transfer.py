"""Decodes Content-Transfer-Encoding, including broken input.

Takes the encoded slice of a part and the encoding's name, gives the decoded bytes and notes what was wrong.
Separate from the MIME tree because it needs no structure: bytes in, bytes out (RFC 2045 section 6; uuencode as in
POSIX; yEnc 1.3).
"""

from __future__ import annotations

import binascii
import re

from services.parser.charset import is_utf8
from services.parser.defects import Defects
from services.parser.tables import by_alias
from shared.lazy_pattern import lazy_compile

_ALIASES = by_alias(
    {
        "7bit": "7-bit 7bits none text plain us-ascii",
        "8bit": "8-bit 8bits utf-8 iso-8859-1",
        "quoted-printable": "quoted-printeable quoted_printable quotedprintable qp quoted q",
        "base64": "base-64 base_64 b",
        "uuencode": "x-uuencode x-uue uue x-uu",
        "yenc": "x-yenc",
    }
)
_IDENTITY = frozenset({"7bit", "8bit", "binary"})
_BASE64_JUNK = lazy_compile(rb"[^A-Za-z0-9+/=\s-]")
_BAD_QP = lazy_compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]{0,80}\r?\n|[ \t\r\n]{0,80}\Z)")
_SOFT_BREAK_WITH_BLANKS = lazy_compile(rb"=[ \t]{1,80}(?=\r?\n)")
_END_OF_BASE64 = lazy_compile(rb"\s{0,9}+(?:[A-Za-z0-9+/]{4,}+={0,2}\r?\n)++(?=\r?\n)")
_MAX_SEGMENTS = 10_000
BEGIN = lazy_compile(rb"^begin(?:-base64)?[ \t]++([0-7]{3,4})[ \t]++([^\r\n]{1,500}+)\r?$", re.MULTILINE)


def name_of(value: str) -> str:
    """The encoding that a Content-Transfer-Encoding value means, in lower case; unknown ones as written."""
    word = value.partition(";")[0].partition("(")[0].strip().strip("\"'<>").strip().lower()
    return _ALIASES.get(word, word) or "7bit"


def decode(data: bytes, encoding: str, defects: Defects) -> bytes:
    """Decoded bytes of `data`; an unknown encoding is noted and the data returned unchanged. Never raises."""
    if encoding == "base64":
        return from_base64(data, defects)
    if encoding == "quoted-printable":
        return from_quoted_printable(data, defects)
    if encoding == "uuencode":
        return from_uuencode(data, defects)
    if encoding == "yenc":
        return from_yenc(data, defects)
    if encoding not in _IDENTITY:
        defects.add("unknown-transfer-encoding")
    return data


def from_base64(data: bytes, defects: Defects) -> bytes:
    """Decode base64: other characters are skipped, padding is repaired, several runs are joined."""
    try:
        decoded = binascii.a2b_base64(data)
    except binascii.Error:
        decoded = b""
    letters = len(data) - data.count(b"\n") - data.count(b"\r") - data.count(b"=", -100)
    if len(decoded) == letters * 3 // 4 and letters % 4 != 1:
        return decoded
    return _doubtful_base64(data, decoded, defects)


def _doubtful_base64(data: bytes, decoded: bytes, defects: Defects) -> bytes:
    """Decode a body that is not all base64 (text, padding in the middle, or only blanks). Slow."""
    letters = len(data) - sum(map(data.count, (b"\n", b"\r", b" ", b"\t"))) - data.count(b"=", -100)
    if decoded and len(decoded) == letters * 3 // 4:
        return decoded
    if (stop := _end_of_base64(data)) > 0:
        defects.add("broken-base64")
        head = _repaired_base64(data[:stop])
        return head if b"\0" in head else head + data[stop:]
    shorter = _without_words_at_end(data)
    if shorter is not data and _WHOLE_BASE64.match(shorter):
        defects.add("broken-base64")
        return _repaired_base64(shorter)
    sample = data[:20_000].strip()
    if len(_BASE64_JUNK.findall(sample)) * 8 > len(sample) or _looks_like_words(sample):
        defects.add("not-base64")
        return data
    if sample:
        defects.add("broken-base64")
    return _repaired_base64(data)


_WHOLE_BASE64 = lazy_compile(rb"[A-Za-z0-9+/\r\n]{8,}+={1,2}\s*+\Z")
_AFTER_PADDING = lazy_compile(rb"=[ \t]*(?=[^\s=])|=\s+(?=[^\s=])")


def _without_words_at_end(data: bytes) -> bytes:
    """Base64 without the words behind its padding. Another run of base64 stays, if it is text when the first run is."""
    found = _AFTER_PADDING.search(data)
    rest = data[found.end() :].rstrip(b"= \t\r\n") if found else b"="
    if found is None or b"=" in rest:  # several runs
        return data
    blank = found[0].strip(b"=") and b"\n" not in found[0]
    letters = b"".join(rest.split())
    few = bool(blank) and len(letters) < 8
    if few or _BASE64_JUNK.search(rest) or len(letters) % 4 == 1:
        return data[: found.end()]
    is_text = _is_text(_repaired_base64(data[: found.start()]))
    return data[: found.end()] if is_text and not _is_text(_repaired_base64(rest)) else data


def _is_text(data: bytes) -> bool:
    return bool(data) and b"\0" not in data and is_utf8(data)


def _end_of_base64(data: bytes) -> int:
    """Offset of text that a mailing list or a scanner appended to base64 without encoding it; 0 if none."""
    found = _END_OF_BASE64.match(data)
    below = data[found.end() :][:2_000].strip() if found else b""
    return found.end() if found and len(below.split()) > 1 and _BASE64_JUNK.search(below) else 0


def _looks_like_words(sample: bytes) -> bool:
    """Whether lines contain blanks, as sentences do and base64 does not."""
    return sample.count(b" ") * 20 > len(sample)


def _repaired_base64(data: bytes) -> bytes:
    """Decode each padded run separately: concatenated or cut base64 loses at most its last incomplete group."""
    letters = data.translate(None, _NOT_BASE64)
    out = bytearray()
    position = segments = 0
    while position < len(letters):
        stop = letters.find(b"=", position) if segments < _MAX_SEGMENTS else -1
        stop = len(letters) if stop < 0 else stop
        run = letters[position:stop].replace(b"=", b"") if segments >= _MAX_SEGMENTS else letters[position:stop]
        if len(run) % 4 == 1:
            run = run[:-1]
        out += binascii.a2b_base64(run + b"=" * (-len(run) % 4))
        position = stop + 1
        segments += 1
    return bytes(out)


_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))


def from_quoted_printable(data: bytes, defects: Defects) -> bytes:
    """Decode quoted-printable; invalid escapes are kept unchanged."""
    if b"=" not in data:
        return data
    if _BAD_QP.search(data):
        defects.add("broken-quoted-printable")
    if b"= " in data or b"=\t" in data:
        data = _SOFT_BREAK_WITH_BLANKS.sub(b"=", data)
    return binascii.a2b_qp(data)


def from_uuencode(data: bytes, defects: Defects) -> bytes:
    """The first uuencoded file in `data`, or `data` itself when there is none."""
    begin = BEGIN.search(data)
    if begin is None:
        defects.add("broken-uuencode")
        return data
    body, _, complete = uudecoded(data, begin.end())
    if not complete:
        defects.add("broken-uuencode")
    return body


def uudecoded(data: bytes, position: int) -> tuple[bytes, int, bool]:
    """Decoded bytes of the lines after a `begin` line, the offset after them, and whether `end` was found."""
    out = bytearray()
    start = data.find(b"\n", position) + 1 or len(data)
    while start < len(data):
        stop = data.find(b"\n", start)
        stop = len(data) if stop < 0 else stop
        line = data[start:stop].rstrip(b"\r")
        if line.rstrip() == b"end":
            return bytes(out), stop, True
        if (chunk := _uu_line(line)) is None:
            return bytes(out), start, False
        out += chunk
        start = stop + 1
    return bytes(out), len(data), False


def _uu_line(line: bytes) -> bytes | None:
    """Decode one line; None when it is not uuencoded. If the line length is wrong, its byte count is used."""
    if not line.strip(b" `"):
        return b""
    count = (line[0] - 32) & 63
    needed = (count * 4 + 5) // 3
    if not 32 <= line[0] <= 96 or len(line) < needed - 3 or len(line) > needed + 8:
        return None
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        try:
            return binascii.a2b_uu(line[:needed].ljust(needed))
        except binascii.Error:
            return None


def from_yenc(data: bytes, defects: Defects) -> bytes:
    """The yEnc block in `data` (lines between =ybegin and =yend), or `data` itself when there is none."""
    begin = data.find(b"=ybegin ")
    start = data.find(b"\n", begin) + 1 if begin >= 0 else 0
    if not start:
        defects.add("broken-yenc")
        return data
    if data.startswith(b"=ypart", start):
        start = data.find(b"\n", start) + 1 or len(data)
    end = data.find(b"\n=yend", start)
    if end < 0:
        defects.add("broken-yenc")
        end = len(data)
    return _yenc_bytes(data[start:end].replace(b"\n..", b"\n.").translate(None, b"\r\n"))


_CHUNK = 1 << 20
_YENC = bytes((value - 42) % 256 for value in range(256))


def _yenc_bytes(data: bytes) -> bytes:
    """Decode in chunks, because each escape becomes a separate object while it is decoded."""
    out = bytearray()
    position = 0
    while position < len(data):
        end = position + _CHUNK
        while data[end - 1 : end] == b"=":  # an escape stays with what it escapes
            end += 1
        plain, *escaped = data[position:end].split(b"=")
        out += plain.translate(_YENC)
        for piece in escaped:
            if piece:
                out.append((piece[0] - 106) % 256)
                out += piece[1:].translate(_YENC)
        position = end
    return bytes(out)
