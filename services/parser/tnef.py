"""Reads winmail.dat: the files and the body in Outlook's own container (MS-OXTNEF).

Takes the bytes of an application/ms-tnef part, gives its contents. Separate from the MIME tree because it is a
format of its own. Every length is checked, and only the contents are copied. Reading ends at broken data; what was
read before it is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import field
from functools import cached_property

from services.parser import charset, names, rtf
from services.parser.defects import Defects
from shared.lazy_dataclass import dataclass

_SIGNATURE = b"\x78\x9f\x3e\x22"
_MOST_FILES = 1_000
_MOST_ATTRIBUTES = 50_000
_MOST_VALUES = 100_000
"""Values of one property block; a file has some twenty, a message some hundred."""

# Attribute ids (MS-OXTNEF 2.1.3.3.1), without their type.
_BODY, _ATTACH_DATA, _ATTACH_TITLE, _TRANSPORT_NAME = 0x800C, 0x800F, 0x8010, 0x9001
_REND_DATA, _MESSAGE_PROPS, _ATTACH_PROPS, _CODEPAGE = 0x9002, 0x9003, 0x9005, 0x9007

# Property ids (MS-OXPROPS).
_P_BODY, _P_RTF, _P_HTML, _P_INTERNET_CODEPAGE = 0x1000, 0x1009, 0x1013, 0x3FDE
_P_DATA, _P_NAME, _P_LONG_NAME, _P_MIME, _P_CONTENT_ID, _P_DISPLAY = 0x3701, 0x3704, 0x3707, 0x370E, 0x3712, 0x3001

# Property types with a fixed size, and those whose values have their own length (MS-OXCDATA 2.11.1).
_FIXED = {0x2: 2, 0x3: 4, 0x4: 4, 0x5: 8, 0x6: 8, 0x7: 8, 0xA: 4, 0xB: 2, 0x14: 8, 0x40: 8, 0x48: 16, 0x1: 0}
_STRING8, _UNICODE, _OBJECT, _BINARY, _MULTI = 0x1E, 0x1F, 0x0D, 0x102, 0x1000


@dataclass(frozen=True, slots=True)
class Item:
    """A file in a winmail.dat."""

    name: str | None
    data: bytes
    content_type: str = "application/octet-stream"
    content_id: str | None = None


@dataclass(frozen=True)
class Winmail:
    """What a winmail.dat holds. Its body is decoded on demand, because few mails need it."""

    message: _Message = field(repr=False)
    defects: Defects = field(repr=False)
    files: tuple[Item, ...] = ()

    @property
    def has_body(self) -> bool:
        """Whether there is a body of any kind."""
        return bool(self.message.text or self.message.html or self.message.rtf)

    @cached_property
    def text(self) -> str:
        """The plain text; of RTF when there is nothing else."""
        message = self.message
        if message.text:
            return charset.with_lf(_text(message.text_kind, message.text, message.codepage, self.defects))
        return "" if message.html else charset.with_lf(_rtf_text(message.rtf, message.codepage))

    @cached_property
    def html(self) -> str:
        """The HTML as sent."""
        return _html_text(self.message, self.defects)


@dataclass(slots=True)
class _File:
    data: bytes | memoryview = b""
    title: str = ""
    long_name: str = ""
    display: str = ""
    content_type: str = ""
    content_id: str = ""

    def item(self) -> Item:
        name = self.long_name or self.title or self.display or None
        return Item(
            name=name,
            data=bytes(self.data),
            content_type=self.content_type if "/" in self.content_type else names.type_of(name),
            content_id=self.content_id.strip("<> ") or None,
        )


@dataclass(slots=True)
class _Message:
    codepage: str = "cp1252"
    internet_codepage: str = ""
    text: bytes | memoryview = b""
    text_kind: int = _STRING8
    html: bytes | memoryview = b""
    html_kind: int = _BINARY
    rtf: bytes | memoryview = b""
    files: list[_File] = field(default_factory=list)


class _BrokenError(Exception):
    """A length exceeds the data."""


def is_tnef(content_type: str, filename: str | None) -> bool:
    """Whether a part is a winmail.dat by type or name."""
    return content_type in _TYPES or (filename or "").lower() == "winmail.dat"


_TYPES = ("application/ms-tnef", "application/vnd.ms-tnef")


def opened(data: bytes, defects: Defects) -> Winmail | None:
    """The contents; None with `broken-winmail` when `data` is not TNEF."""
    if not data.startswith(_SIGNATURE):
        defects.add("broken-winmail")
        return None
    message = _Message()
    try:
        for level, attribute, value in _attributes(data):
            _take(message, level, attribute, value, defects)
    except _BrokenError:
        defects.add("broken-winmail")
    return Winmail(
        message,
        defects,
        files=tuple(item.item() for item in message.files[:_MOST_FILES] if item.data or item.title or item.long_name),
    )


def _attributes(data: bytes) -> Iterator[tuple[int, int, memoryview]]:
    """(level, attribute id, value) of the stream; each is followed by a checksum, which is ignored."""
    view, position = memoryview(data), 6
    for _ in range(_MOST_ATTRIBUTES):
        if position + 9 > len(data):
            return
        level, attribute, _, length = struct.unpack_from("<BHHI", data, position)
        position += 9
        if level not in (1, 2) or position + length > len(data):
            raise _BrokenError
        yield level, attribute, view[position : position + length]
        position += length + 2


def _take(message: _Message, level: int, attribute: int, value: memoryview, defects: Defects) -> None:
    if attribute == _CODEPAGE and len(value) >= 4:
        message.codepage = _codec(int.from_bytes(value[:4], "little"))
    elif level == 1 and attribute == _BODY:
        message.text, message.text_kind = value, _STRING8
    elif level == 1 and attribute == _MESSAGE_PROPS:
        _take_message_properties(message, value)
    elif level == 2 and attribute == _REND_DATA:
        message.files.append(_File())
    elif level == 2 and message.files:
        _take_file(message.files[-1], attribute, value, message.codepage, defects)


def _take_message_properties(message: _Message, value: memoryview) -> None:
    for number, kind, data in _properties(value):
        if number == _P_BODY:
            message.text, message.text_kind = data, kind
        elif number == _P_HTML:
            message.html, message.html_kind = data, kind
        elif number == _P_RTF:
            message.rtf = data
        elif number == _P_INTERNET_CODEPAGE and len(data) >= 4:
            message.internet_codepage = _codec(int.from_bytes(data[:4], "little"))


def _take_file(item: _File, attribute: int, value: memoryview, codepage: str, defects: Defects) -> None:
    if attribute == _ATTACH_DATA:
        item.data = value
    elif attribute == _ATTACH_TITLE or (attribute == _TRANSPORT_NAME and not item.title):
        item.title = _string(bytes(value), codepage, defects)
    elif attribute == _ATTACH_PROPS:
        for number, kind, data in _properties(value):
            if number == _P_DATA:
                # An embedded message or OLE object begins with the 16 bytes of its interface id.
                item.data = data[16:] if kind == _OBJECT else data
            elif number in _FILE_TEXTS:
                _take_file_text(item, number, _text(kind, data, codepage, defects))


_FILE_TEXTS = frozenset({_P_LONG_NAME, _P_NAME, _P_DISPLAY, _P_MIME, _P_CONTENT_ID})


def _take_file_text(item: _File, number: int, text: str) -> None:
    if number == _P_LONG_NAME:
        item.long_name = text
    elif number == _P_NAME:
        item.title = item.title or text
    elif number == _P_DISPLAY:
        item.display = text
    elif number == _P_MIME:
        item.content_type = text.lower()
    else:
        item.content_id = text


def _properties(view: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """(id, type, first value) of a property block; every value is padded to four bytes.

    Values are counted in all, and several of no size are broken: otherwise a mail could claim any number of them.
    """
    reader = _Reader(view)
    values = 0
    for _ in range(min(reader.number(), _MOST_ATTRIBUTES)):
        kind, number = reader.short(), reader.short()
        if number >= 0x8000:
            _skip_name(reader)
        base = kind & ~_MULTI
        count = 1
        if kind & _MULTI or base in (_STRING8, _UNICODE, _OBJECT, _BINARY):
            count = reader.number()
        if count > 1 and not _FIXED.get(base, 1):
            raise _BrokenError
        values += count
        if values > _MOST_VALUES:
            raise _BrokenError
        first = memoryview(b"")
        for place in range(count):
            value = reader.value(base)
            first = first if place else value
        yield number, base, first


def _skip_name(reader: _Reader) -> None:
    """A named property carries its name before its value: a GUID, and a number or a string."""
    reader.take(16)
    if reader.number() == 0:
        reader.take(4)
    else:
        reader.padded(reader.number())


class _Reader:
    """A cursor over bytes; raises `_BrokenError` beyond their end."""

    __slots__ = ("_position", "_view")

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._position = 0

    def take(self, length: int) -> memoryview:
        end = self._position + length
        if length < 0 or end > len(self._view):
            raise _BrokenError
        found = self._view[self._position : end]
        self._position = end
        return found

    def padded(self, length: int) -> memoryview:
        found = self.take(length)
        self._position = min(self._position + (-length % 4), len(self._view))
        return found

    def short(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def value(self, kind: int) -> memoryview:
        if kind in (_STRING8, _UNICODE, _OBJECT, _BINARY):
            return self.padded(self.number())
        if kind not in _FIXED:
            raise _BrokenError
        return self.padded(_FIXED[kind])


def _codec(codepage: int) -> str:
    """Name of a Windows code page as a charset label."""
    if codepage in _CODEPAGES:
        return _CODEPAGES[codepage]
    if 28591 <= codepage <= 28605:
        return f"iso-8859-{codepage - 28590}"
    return f"cp{codepage}"


_CODEPAGES = {
    20127: "us-ascii", 20866: "koi8-r", 21866: "koi8-u", 50220: "iso-2022-jp", 51932: "euc-jp", 54936: "gb18030",
    65000: "utf-7", 65001: "utf-8",
}  # fmt: skip


def _string(data: bytes, codepage: str, defects: Defects) -> str:
    return charset.decode(data.partition(b"\0")[0], codepage, defects)


def _text(kind: int, data: bytes | memoryview, codepage: str, defects: Defects) -> str:
    if kind == _UNICODE:
        return charset.scalar(bytes(data).decode("utf-16-le", "replace")).partition("\0")[0]
    return _string(bytes(data), codepage, defects)


def _html_text(message: _Message, defects: Defects) -> str:
    data = bytes(message.html)
    if message.html_kind == _UNICODE:
        data = data.decode("utf-16-le", "replace").encode()
    data = data.rstrip(b"\0")
    if not data:
        return ""
    return charset.decode(data, message.internet_codepage or None, defects, is_html=True)


def _rtf_text(data: bytes | memoryview, codepage: str) -> str:
    return rtf.to_text(rtf.decompressed(bytes(data)), codepage) if data else ""
