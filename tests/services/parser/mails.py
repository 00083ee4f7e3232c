"""Raw mails for the parser's tests, built byte by byte: libraries would repair what is to be broken."""

from __future__ import annotations

import base64

HEAD = (
    b"From: Anna Becker <anna@customer.example>\r\nTo: support@example.com\r\nSubject: Printer\r\n"
    b"Message-ID: <1@customer.example>\r\nDate: Fri, 20 Nov 2026 22:00:00 +0100\r\nMIME-Version: 1.0\r\n"
)


def plain(body: bytes, *headers: bytes) -> bytes:
    """A mail with further header lines and a body."""
    return HEAD + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


def part(body: bytes, *headers: bytes) -> bytes:
    """A part of a multipart, to be joined with a delimiter."""
    return b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


def multipart(*parts: bytes, kind: bytes = b"mixed", boundary: bytes = b"XX") -> bytes:
    """A mail with these parts."""
    return HEAD + container(*parts, kind=kind, boundary=boundary)


def container(*parts: bytes, kind: bytes = b"mixed", boundary: bytes = b"XX") -> bytes:
    """A multipart with its own header, as a mail's rest or as a part."""
    body = b"".join(b"--" + boundary + b"\r\n" + one + b"\r\n" for one in parts)
    return (
        b"Content-Type: multipart/"
        + kind
        + b'; boundary="'
        + boundary
        + b'"\r\n\r\n'
        + body
        + b"--"
        + boundary
        + b"--\r\n"
    )


def attachment(name: bytes, data: bytes = b"data", kind: bytes = b"application/octet-stream") -> bytes:
    """A base64 part with a file name as it stands in the header."""
    return part(
        base64.encodebytes(data),
        b"Content-Type: " + kind,
        b"Content-Transfer-Encoding: base64",
        b"Content-Disposition: attachment; filename=" + name,
    )


def nested(levels: int) -> bytes:
    """Multiparts inside each other."""
    inner = b"Content-Type: text/plain\r\n\r\ndeep down\r\n"
    for level in range(levels):
        inner = container(inner, boundary=b"b%d" % level)
    return HEAD + inner


def forwarded(levels: int) -> bytes:
    """Mails attached to mails."""
    inner = HEAD + b"\r\ninnermost\r\n"
    for _ in range(levels):
        inner = HEAD + b"Content-Type: message/rfc822\r\n\r\n" + inner
    return inner
