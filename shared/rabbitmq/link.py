"""A pika connection that invalid headers cannot break, that can be dropped at once, and that moves many messages in one
system call.

Changes some behaviours of pika's `SelectConnection`. Separate, because only this module overrides pika's private
methods.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import Any

import pika
from pika import exceptions as pika_errors
from pika import frame, spec
from pika.channel import Channel

from shared.rabbitmq.frames import Delivered, delivered, published
from shared.rabbitmq.wire import read_table, split_headers

RECEIVE_BYTES, SEND_BYTES = 64 << 10, 256 << 10
"""For one system call; pika's own are 4 KiB and one frame."""
_UNREADABLE = (ValueError, OverflowError, OSError, RecursionError, struct.error, pika_errors.AMQPError)
_HEADER = struct.Struct(">BHL")


class Link(pika.SelectConnection):
    """One connection of one consumer; `deliver` gets every delivery, `pause` is called when all that came was read."""

    deliver: Callable[[Delivered], None]
    pause: Callable[[], None]

    def drop(self, reason: str) -> None:
        """End the connection without asking the broker; `on_close_callback` follows."""
        if not self.is_closed:
            self._terminate_stream(pika_errors.StreamLostError(reason))

    def publish(self, channel: int, exchange: str, key: str, properties: bytes, body: bytes) -> None:
        """Mandatory, on an open channel."""
        message = published(channel, exchange, key, properties, body, self._body_max_length)
        transport: Any = self._transport
        if transport is not None and transport._tx_buffered_byte_count:  # noqa: SLF001
            transport._buffer_tx_data(message)  # noqa: SLF001  it is about to send what came before
            self.bytes_sent += len(message)
        else:
            self._output_marshaled_frames([message])

    def _proto_connection_made(self, transport: Any) -> None:
        """Pika would make three system calls to send a message, and two to receive one of 5 KB."""
        transport._MAX_RECV_BYTES, transport._tx_buffers = RECEIVE_BYTES, _Outgoing()  # noqa: SLF001
        super()._proto_connection_made(transport)

    def _on_data_available(self, data_in: bytes) -> None:
        self._frame_buffer += data_in
        while self._frame_buffer and (self._take_deliveries() or self._take_frame()):
            pass
        self.pause()

    def _take_deliveries(self) -> bool:
        """Those at the head of the buffer that are complete; another part of one is for pika to put together."""
        found, end = list[Delivered](), 0
        while each := _readable(self._frame_buffer, end):
            found.append(each)
            end = each.end
        self._trim_frame_buffer(end)
        for each in found:
            self.deliver(each)
        return bool(found)

    def _take_frame(self) -> bool:
        consumed, taken = self._read_frame()
        if taken:
            self._trim_frame_buffer(consumed)
            self._process_frame(taken)
        return bool(taken)

    def _on_connection_workflow_done(self, conn_or_exc: Any) -> None:
        """Pika reports an aborted connect as a class where it then expects an instance."""
        super()._on_connection_workflow_done(conn_or_exc() if isinstance(conn_or_exc, type) else conn_or_exc)

    def _create_channel(self, channel_number: int, on_open_callback: Callable[[Channel], Any] | None) -> Channel:
        return _Channel(self, channel_number, on_open_callback)

    def _read_frame(self) -> tuple[int, Any]:
        """Pika raises on a timestamp past the year 9999 or on deep nesting, and loses the connection."""
        try:
            return super()._read_frame()
        except _UNREADABLE:
            lenient = _lenient_header(self._frame_buffer)
            if lenient is None:
                raise
            return lenient


class _Channel(Channel):
    """Also passes on deliveries that arrive after a cancel: pika would nack them, and RabbitMQ counts a nack."""

    def _on_deliver(self, method_frame: Any, header_frame: Any, body: bytes) -> None:
        method = method_frame.method
        self.connection.deliver(Delivered(method.delivery_tag, method.redelivered, header_frame.properties, body))


class _Outgoing(deque[bytes | bytearray]):
    """What waits to be sent, in few pieces: each piece is a system call."""

    def append(self, data: bytes | bytearray) -> None:
        """Join it to the last piece."""
        if self and len(self[-1]) < SEND_BYTES:
            self[-1] += data
        else:
            super().append(bytearray(data))


def _readable(buffer: bytes, at: int) -> Delivered | None:
    try:
        return delivered(buffer, at)
    except _UNREADABLE:
        return None


def _lenient_header(buffer: bytes) -> tuple[int, frame.Header] | None:
    """A content header frame, its header table read by our own lenient reader; None for other frames."""
    kind, channel, size = _HEADER.unpack_from(buffer)
    if kind != spec.FRAME_HEADER:
        return None
    payload = buffer[_HEADER.size : _HEADER.size + size]
    _, _, body_size = struct.unpack_from(">HHQ", payload)
    encoded, table = split_headers(payload[12:])
    properties = spec.BasicProperties()
    properties.decode(encoded)
    properties.headers = read_table(table)
    return _HEADER.size + size + spec.FRAME_END_SIZE, frame.Header(channel, body_size, properties)
