"""Which mails may be parsed in the worker's own process.

Takes raw bytes, gives True only for a small and simple mail; all others are parsed in the parser process, which has
limits. The test is linear and does not parse: it counts what makes parsing slow. The content of files is ignored,
because the parser only decodes files, except for the types named here.
"""

from __future__ import annotations

import re
from typing import Final

from shared.lazy_pattern import lazy_compile

SMALL_BYTES: Final = 64 << 10
"""Bytes of a mail without its files."""
WHOLE_BYTES: Final = 4 << 20
"""Bytes of a mail with all its files."""
HEADER_BYTES: Final = 16 << 10
LINE_BYTES: Final = 2_000
"""Twice what RFC 5322 section 2.1.1 allows."""
ENCODED_TEXT_BYTES: Final = 12 << 10
"""Bytes of a text in base64, whose content cannot be counted."""
PARTS: Final = 60
HYPHENS: Final = 20_000
PADDING_BYTES: Final = 16
"""Bytes at the end of a file in base64, including the line ends after it."""
TAGS: Final = 3_000

_CONTAINERS: Final = (b"/ms-tnef", b"/vnd.ms-tnef", b"winmail", b"pkcs7-mime", b"utf-7", b"utf7")
"""Types and encodings, as in headers, whose content cannot be counted before it is decoded."""
_MOST_IN_HEADER: Final = (
    (b"\n", 400), (b",", 400), (b":", 600), (b"(", 200), (b";", 400), (b'"', 800), (b"<", 400), (b"=?", 200),
    (b"message/", 10), (b"multipart/", 20),
)  # fmt: skip
_FILE: Final = lazy_compile(rb"^content-type:[ \t]*(?:application|image|audio|video)/", re.MULTILINE)
_OPENED: Final = lazy_compile(rb"tnef|winmail|pkcs7-mime|text/|message/|multipart/")
_BOUNDARY: Final = lazy_compile(rb'boundary[ \t]*=[ \t]*"?([^"\s;]{1,70})')
_BLANK_LINES: Final = (b"\n\r\n", b"\n\n", b"\r\r")


def is_small_and_plain(raw: bytes) -> bool:
    """Whether parsing takes little time and memory, even for a hostile mail."""
    if len(raw) > WHOLE_BYTES:
        return False
    parts = raw.split(b"\n--", PARTS) if len(raw) <= SMALL_BYTES else _parts_of_large(raw)
    if len(parts) > PARTS:
        return False
    headers = [_header(part) for part in parts]
    read = parts if len(raw) <= SMALL_BYTES else _without_files(parts, headers)
    return sum(map(len, read)) <= SMALL_BYTES and _are_plain(b"\n".join(headers).lower()) and all(map(_is_plain, read))


def _parts_of_large(raw: bytes) -> list[bytes]:
    """Split likewise, fifty times as fast where there are files: base64 has no hyphen. Very many hyphens: one part."""
    parts, start, at = list[bytes](), 0, raw.find(b"-")
    for _ in range(HYPHENS):
        if at < 0 or len(parts) > PARTS:
            return [*parts, raw[start:]]
        if raw[at - 1 : at + 2] == b"\n--":
            parts.append(raw[start : at - 1])
            start = at + 2
        at = raw.find(b"-", at + 2)
    return [raw]


def _header(part: bytes) -> bytes:
    """Up to the first empty line; of a mail within this one, all of it."""
    end = 0
    for blank_line in _BLANK_LINES:
        found = part.find(blank_line, 0, end or HEADER_BYTES + len(blank_line))
        end = end if found < 0 else found + len(blank_line)
    header = part[:end] if end else part
    return part if b"message/" in header.lower() else header


def _are_plain(headers: bytes) -> bool:
    return (
        len(headers) <= HEADER_BYTES + SMALL_BYTES
        and not any(name in headers for name in _CONTAINERS)
        and not any(headers.count(token) > most for token, most in _MOST_IN_HEADER)
    )


def _is_plain(part: bytes) -> bool:
    if part.count(b"<") > TAGS or _has_long_line(part):
        return False
    if len(part) <= ENCODED_TEXT_BYTES:
        return True
    header = _header(part).lower()
    if b"quoted-printable" in header and _has_encoded_tags(part):
        return False
    return b"base64" not in header or _is_file(header)


def _has_encoded_tags(part: bytes) -> bool:
    """Whether quoted-printable hides too many tags; a count of one byte is fast and decides nearly always."""
    return part.count(b"=") > TAGS and part.count(b"=3C") + part.count(b"=3c") > TAGS


def _has_long_line(part: bytes) -> bool:
    start = 0
    while len(part) - start > LINE_BYTES:
        start = part.rfind(b"\n", start, start + LINE_BYTES) + 1
        if not start:
            return True
    return False


def _without_files(parts: list[bytes], headers: list[bytes]) -> list[bytes]:
    """The parts of the mail, each file in base64 cut to its header."""
    boundaries, kept = list[bytes](), list[bytes]()
    for part, header in zip(parts, headers, strict=True):
        is_part = any(part.startswith(boundary) for boundary in boundaries)
        kept.append(header if is_part and _is_encoded_file(header.lower(), part) else part)
        boundaries += _BOUNDARY.findall(header)
    return kept


def _is_encoded_file(header: bytes, part: bytes) -> bool:
    padded_within = part.find(b"=", len(header), max(len(header), len(part) - PADDING_BYTES)) >= 0
    return b"base64" in header and not padded_within and _is_file(header)


def _is_file(header: bytes) -> bool:
    """Whether the parser only decodes this part."""
    return bool(_FILE.search(header)) and not _OPENED.search(header)
