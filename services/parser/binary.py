"""Bytes that are a file although their part claims to be text, or claims nothing.

Takes the decoded content of a part, gives the type of the file; None for text in any charset. Separate because the
question is asked before a charset is: a charset gives words for any bytes.
"""

from __future__ import annotations

from services.parser import charset

_OTHER = "application/octet-stream"
_MAGIC = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n": "image/png",
    b"GIF8": "image/gif",
    b"\xff\xd8\xff": "image/jpeg",
    b"PK\x03\x04": "application/zip",
    b"\x1f\x8b\x08": "application/gzip",
    b"7z\xbc\xaf": "application/x-7z-compressed",
    b"Rar!\x1a": "application/vnd.rar",
    b"\xd0\xcf\x11\xe0": _OTHER,
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
    b"BM": "image/bmp",
    b"ID3": "audio/mpeg",
    b"OggS": "audio/ogg",
}
"""How files of a type begin."""
_CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\b\t\n\v\f\r\x0e\x0f\x1a\x1b"})
"""Control characters that text does not have, in ISO-2022 neither."""


def file_type(data: bytes, label: str | None) -> str | None:
    """The type of the file that `data` is; None when it is text. `label` is the charset that the part claims."""
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if not controls:
        return kind if kind and (not data[:4].isascii() or b"%%EOF" in data[-1_024:]) else None
    if kind:
        return kind
    return _OTHER if controls > 1 and not _is_text(data, label, controls) else None


def _is_text(data: bytes, label: str | None, controls: int) -> bool:
    """Whether the bytes have few control characters: of valid UTF-8 or UTF-16 a tenth, of others a thirtieth."""
    codec = charset.wide_codec(data) or (charset.codec_name(label) if label else None) or ""
    if codec.startswith(("utf-16", "utf-32")):
        text = data.decode(codec, "replace")
        return (len(text) - len(text.translate(_NOT_TEXT))) * 10 <= len(text)
    return controls * (10 if charset.is_utf8(data) else 30) <= len(data)


_NOT_TEXT = dict.fromkeys([*_CONTROLS, 0xFFFD])
