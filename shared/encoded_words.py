"""Decodes the encoded words of a header (RFC 2047) where no parsed mail is at hand; the parser has its own reader."""

from __future__ import annotations

from email.errors import MessageError
from email.header import decode_header, make_header


def decoded(text: str) -> str:
    """The text with its encoded words decoded; as it is written when it has none, or they cannot be decoded."""
    if "=?" not in text:
        return text
    try:
        return str(make_header(decode_header(text)))
    except (MessageError, LookupError, ValueError):
        return text
