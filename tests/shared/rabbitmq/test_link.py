"""How a connection reads and joins what goes over the wire, without one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame
from pika.callback import CallbackManager

from shared.rabbitmq.frames import Delivered, published
from shared.rabbitmq.link import SEND_BYTES, Link, _Channel, _Outgoing
from tests.shared.rabbitmq.test_frames import CHANNEL, KNOWN, as_delivery

BODIES = [b"", b"first", b"x" * 900, b"in two frames" * 9, b"\xce" * 40, b"", b"last"]
STREAM = b"".join(
    as_delivery(body, parts=2 if b"two" in body else 1) + frame.Heartbeat().marshal() * (len(body) % 2)
    for body in BODIES
)


class Reading:
    """A link that the test feeds; `came` is what it delivered, and None for each pause."""

    def __init__(self) -> None:
        self.came: list[Delivered | None] = []
        self.beats = 0
        self.link: Any = Link.__new__(Link)
        self.link.callbacks, self.link._heartbeat_checker = CallbackManager(), self
        self.link._frame_buffer, self.link.bytes_received, self.link.frames_received = b"", 0, 0
        self.link._channels = {CHANNEL: _Channel(self.link, CHANNEL, None)}
        self.link.deliver, self.link.pause = self.came.append, lambda: self.came.append(None)

    def received(self) -> None:
        """A heartbeat."""
        self.beats += 1


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_deliveries_come_in_order_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    reading = Reading()
    for start, end in pairwise(sorted({0, *cuts, len(STREAM)})):
        reading.link._on_data_available(STREAM[start:end])
        assert reading.came[-1] is None
    assert [each.body for each in reading.came if each] == BODIES
    assert reading.beats == sum(len(body) % 2 for body in BODIES)
    assert reading.link.bytes_received == len(STREAM)


def test_what_is_read_together_is_delivered_before_one_pause() -> None:
    reading = Reading()
    reading.link._on_data_available(STREAM)
    assert [each is None for each in reading.came] == [False] * len(BODIES) + [True]


@pytest.mark.parametrize("size", [10, 100_000])
def test_what_waits_to_be_sent_is_joined_in_few_pieces(size: int) -> None:
    outgoing, messages = _Outgoing(), [bytes([number]) * size for number in range(20)]
    for message in messages:
        outgoing.append(message)
    assert b"".join(outgoing) == b"".join(messages)
    assert len(outgoing) <= 20 * size // SEND_BYTES + 1
    assert max(map(len, outgoing)) < SEND_BYTES + size


@pytest.mark.parametrize("waiting", [0, 3])
def test_every_message_is_written_whether_others_wait_or_not(waiting: int) -> None:
    """The transport is told to send by the first; those after it are joined to what waits."""
    transport = Transport()
    link: Any = Link.__new__(Link)
    link._transport, link._body_max_length, link.bytes_sent, link.frames_sent = transport, 100, 0, 0
    if waiting:
        transport.write(b"x" * waiting)
    for body in BODIES:
        link.publish(CHANNEL, "postroom", "filter", KNOWN, body)
    sent = b"".join(published(CHANNEL, "postroom", "filter", KNOWN, body, 100) for body in BODIES)
    assert b"".join(transport.joined) == b"x" * waiting + sent
    assert transport.told == 1
    assert link.bytes_sent == len(sent)


class Transport:
    """What pika's transport does with what it is given, up to the socket."""

    def __init__(self) -> None:
        self.joined, self.told, self._tx_buffered_byte_count = _Outgoing(), 0, 0

    def write(self, data: bytes) -> None:
        """Keep it, and wait for the socket when nothing waited before."""
        self.told += not self._tx_buffered_byte_count
        self._buffer_tx_data(data)

    def _buffer_tx_data(self, data: bytes) -> None:
        self.joined.append(data)
        self._tx_buffered_byte_count += len(data)
