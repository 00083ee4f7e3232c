"""A pika connection that invalid headers cannot break and that can be dropped at once.

Changes four behaviours of pika's `SelectConnection`. Separate, because only this module overrides pika's private
methods.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pika
from pika import exceptions as pika_errors
from pika import frame, spec
from pika.channel import Channel

from shared.rabbitmq.wire import read_table, split_headers

Deliver = Callable[[spec.Basic.Deliver, spec.BasicProperties, bytes], None]
_UNREADABLE = (ValueError, OverflowError, OSError, RecursionError, struct.error, pika_errors.AMQPError)
_HEADER = struct.Struct(">BHL")


class Link(pika.SelectConnection):
    """One connection of one consumer; `deliver` gets every delivery of every channel."""

    deliver: Deliver

    def drop(self, reason: str) -> None:
        """End the connection without asking the broker; `on_close_callback` follows."""
        if not self.is_closed:
            self._terminate_stream(pika_errors.StreamLostError(reason))

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
        self.connection.deliver(method_frame.method, header_frame.properties, body)


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
