"""The frames of the two methods that every message takes: `basic.publish` out, `basic.deliver` in. Pure functions.

pika writes and reads them one by one, with an object for each; here a message is written or read at once. Everything
else is left to pika. Layouts: AMQP 0-9-1, 4.2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache

from pika import spec

from shared.lazy_dataclass import dataclass
from shared.rabbitmq import wire
from shared.runtime.broker import Message

PERSISTENT, MANDATORY, OPTIONAL = b"\x02", b"\x01", b"\x00"
_END = bytes([spec.FRAME_END])
_FRAME, _METHOD = struct.Struct(">BHI"), struct.Struct(">BHII")
_HEADER = struct.Struct(">BHIHHQ")
_TAG, _PUBLISH, _CONTENT, _FLAGS = (
    struct.Struct(">QB"),
    struct.Struct(">IH"),
    struct.Struct(">HHQ"),
    struct.Struct(">H"),
)
_SIZE, _TEXT, _INTEGERS = struct.Struct(">I"), ord("S"), {ord("I"): struct.Struct(">i"), ord("l"): struct.Struct(">q")}
AROUND = _FRAME.size + len(_END)
"""Bytes of a frame besides its content."""
_INT32 = 1 << 31


@dataclass(frozen=True, slots=True)
class Delivered:
    """A `basic.deliver` with its content; in the buffer, the next frame begins at `end`."""

    number: int
    redelivered: bool
    properties: spec.BasicProperties
    body: bytes
    end: int = 0


def delivered(buffer: bytes, at: int) -> Delivered | None:
    """The delivery whose frames begin at `at`. None when there is none, or not all of it, or its body has many frames.

    Raises whatever pika raises for properties that it cannot read.
    """
    try:
        kind, channel, size, method = _METHOD.unpack_from(buffer, at)
        if kind != spec.FRAME_METHOD or method != spec.Basic.Deliver.INDEX:
            return None
        header = at + size + AROUND
        kind, same_channel, size, _, _, length = _HEADER.unpack_from(buffer, header)
        body = header + size + AROUND
        if (kind, same_channel) != (spec.FRAME_HEADER, channel):
            return None
        if length and _FRAME.unpack_from(buffer, body) != (spec.FRAME_BODY, channel, length):
            return None
    except struct.error:
        return None
    end = body + length + AROUND if length else body
    if end > len(buffer) or not buffer[header - 1] == buffer[body - 1] == buffer[end - 1] == spec.FRAME_END:
        return None
    number, bits = _TAG.unpack_from(buffer, at + _METHOD.size + 1 + buffer[at + _METHOD.size])
    properties = read_properties(buffer[header + _HEADER.size : body - 1])
    return Delivered(number, bool(bits & 1), properties, buffer[body + _FRAME.size : end - 1] if length else b"", end)


def read_properties(raw: bytes) -> spec.BasicProperties:
    """At once, if they are those that `properties` writes of an event; any others are read by pika."""
    try:
        usual = _usual_properties(raw)
    except (IndexError, UnicodeDecodeError, struct.error):
        usual = None
    return usual or spec.BasicProperties().decode(raw)


def _usual_properties(raw: bytes) -> spec.BasicProperties | None:
    if _FLAGS.unpack_from(raw) != (_USUAL,):
        return None
    content_type, at = _read_short(raw, _FLAGS.size)
    headers, at = _read_table(raw, at)
    correlation_id, after = _read_short(raw, at + len(PERSISTENT))
    message_id, after = _read_short(raw, after)
    type_, after = _read_short(raw, after)
    if headers is None or after != len(raw):
        return None
    return spec.BasicProperties(
        content_type, None, headers, raw[at], None, correlation_id, None, None, message_id, None, type_
    )


def _read_short(raw: bytes, at: int) -> tuple[str, int]:
    """A text of at most 255 bytes, and where the next value begins."""
    end = at + 1 + raw[at]
    return raw[at + 1 : end].decode(), end


def _read_table(raw: bytes, at: int) -> tuple[dict[str, str | int] | None, int]:
    """None when there is anything in it but texts and signed integers of 32 or 64 bits."""
    table: dict[str, str | int] = {}
    at += _SIZE.size
    end = at + _SIZE.unpack_from(raw, at - _SIZE.size)[0]
    while at < end:
        name, at = _read_short(raw, at)
        kind = raw[at]
        if kind == _TEXT:
            start = at + 1 + _SIZE.size
            at = start + _SIZE.unpack_from(raw, at + 1)[0]
            table[name] = raw[start:at].decode()
        elif kind in _INTEGERS:
            form = _INTEGERS[kind]
            (table[name],) = form.unpack_from(raw, at + 1)
            at += 1 + form.size
        else:
            return None, end
    return (table if at == end else None), end


def published(
    channel: int, exchange: str, key: str, properties: bytes, body: bytes, largest: int, *, mandatory: bool = True
) -> bytes:
    """A `basic.publish` with its content; `largest`: bytes of a body that one frame holds."""
    header = _CONTENT.pack(spec.Basic.INDEX, 0, len(body)) + properties
    parts = [
        _publish(channel, exchange, key, mandatory),
        _FRAME.pack(spec.FRAME_HEADER, channel, len(header)),
        header,
        _END,
    ]
    for start in range(0, len(body), largest):
        part = body[start : start + largest]
        parts += (_FRAME.pack(spec.FRAME_BODY, channel, len(part)), part, _END)
    return b"".join(parts)


@lru_cache(256)
def _publish(channel: int, exchange: str, key: str, mandatory: bool) -> bytes:
    arguments = _PUBLISH.pack(spec.Basic.Publish.INDEX, 0) + _short(exchange) + _short(key)
    arguments += MANDATORY if mandatory else OPTIONAL
    return _FRAME.pack(spec.FRAME_METHOD, channel, len(arguments)) + arguments + _END


def properties_of(message: Message, handed_out: int = 0) -> bytes:
    """The properties of a message as it is published; `handed_out`: see `wire.HANDED_OUT`."""
    return properties(
        content_type=wire.short(message.content_type),
        headers=wire.outgoing(message.headers, handed_out),
        correlation_id=wire.short(message.correlation_id),
        message_id=wire.short(message.id),
        type_=wire.short(message.type),
    )


def properties(
    content_type: str, headers: Mapping[str, str | int], correlation_id: str, message_id: str, type_: str
) -> bytes:
    """Of a persistent message; of the last three, what is empty is left out. Texts of at most 255 bytes."""
    flags = _ALWAYS
    parts = [_name(content_type), _table(headers), PERSISTENT]
    for text, flag in ((correlation_id, _CORRELATION_ID), (message_id, _MESSAGE_ID), (type_, _TYPE)):
        if text:
            flags |= flag
            parts.append(_short(text))
    return _FLAGS.pack(flags) + b"".join(parts)


_CORRELATION_ID, _MESSAGE_ID, _TYPE = (
    spec.BasicProperties.FLAG_CORRELATION_ID,
    spec.BasicProperties.FLAG_MESSAGE_ID,
    spec.BasicProperties.FLAG_TYPE,
)
_ALWAYS = (
    spec.BasicProperties.FLAG_CONTENT_TYPE | spec.BasicProperties.FLAG_HEADERS | spec.BasicProperties.FLAG_DELIVERY_MODE
)
_USUAL = _ALWAYS | _CORRELATION_ID | _MESSAGE_ID | _TYPE
"""The properties of every event."""


def _table(headers: Mapping[str, str | int]) -> bytes:
    parts = list[bytes]()
    for name, value in headers.items():
        if isinstance(value, str):
            text = value.encode()
            parts += (_name(name), b"S", _SIZE.pack(len(text)), text)
        else:
            parts += (_name(name), _integer(value))
    fields = b"".join(parts)
    return _SIZE.pack(len(fields)) + fields


@lru_cache(256)
def _integer(value: int) -> bytes:
    return struct.pack(">ci", b"I", value) if -_INT32 <= value < _INT32 else struct.pack(">cq", b"l", value)


def _short(text: str) -> bytes:
    raw = text.encode()
    return bytes((len(raw),)) + raw


_name = lru_cache(256)(_short)
"""Of texts that come again and again."""
