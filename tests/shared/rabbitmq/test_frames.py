"""The frames that we write and read ourselves, against pika's."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec

from shared.rabbitmq.frames import Delivered, delivered, properties, published, read_properties

CHANNEL, LARGEST = 3, 100
HEADERS = {"version": 1, "cause": "id-1", "at": 1_700_000_000, "big": 1 << 40, "low": -(1 << 63), "name": "Grüße €"}
KNOWN = properties("application/json", HEADERS, "mail-1", "message-1", "MailParsed")


def read_by_pika(sent: bytes) -> tuple[spec.Basic.Publish, spec.BasicProperties, list[bytes]]:
    """The arguments, the properties, and the parts of the body."""
    frames = []
    while sent:
        size, each = frame.decode_frame(sent)
        assert size
        assert each.channel_number == CHANNEL
        frames.append(each)
        sent = sent[size:]
    method, header, *parts = frames
    assert header.body_size == sum(len(part.fragment) for part in parts)
    return method.method, header.properties, [part.fragment for part in parts]


def as_delivery(body: bytes, *, redelivered: bool = False, parts: int = 1, tag: str = "ctag1.x") -> bytes:
    """What RabbitMQ sends, by pika's encoder; the body in so many frames."""
    method = frame.Method(CHANNEL, spec.Basic.Deliver(tag, 7, redelivered, "postroom", "filter")).marshal()
    header = frame.Header(CHANNEL, len(body), known_to_pika()).marshal()
    size = -(-len(body) // parts) or 1
    content = [frame.Body(CHANNEL, body[at : at + size]).marshal() for at in range(0, len(body), size)]
    return b"".join([method, header, *content])


def known_to_pika() -> spec.BasicProperties:
    """The same as KNOWN."""
    return spec.BasicProperties(
        content_type="application/json",
        headers=HEADERS,
        delivery_mode=2,
        correlation_id="mail-1",
        message_id="message-1",
        type="MailParsed",
    )


@pytest.mark.parametrize("size", [0, 1, LARGEST, LARGEST + 1, 3 * LARGEST])
def test_what_we_publish_is_what_pika_reads(size: int) -> None:
    body = (bytes(range(256)) * 2)[:size]
    method, found, parts = read_by_pika(published(CHANNEL, "postroom", "filter", KNOWN, body, LARGEST))
    assert (method.exchange, method.routing_key, method.mandatory) == ("postroom", "filter", True)
    assert found == known_to_pika()
    assert b"".join(parts) == body
    assert all(len(part) <= LARGEST for part in parts)


def test_a_message_that_nobody_has_to_take_is_not_mandatory() -> None:
    method, _, _ = read_by_pika(published(CHANNEL, "events", "mail.rejected", KNOWN, b"x", LARGEST, mandatory=False))
    assert not method.mandatory


def test_what_is_empty_is_left_out_but_the_content_type() -> None:
    _, found, _ = read_by_pika(published(CHANNEL, "", "queue", properties("", {}, "", "", ""), b"", LARGEST))
    assert found == spec.BasicProperties(content_type="", headers={}, delivery_mode=2)


@given(st.dictionaries(st.text(max_size=60), st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=200)))
def test_headers_are_written_as_pika_writes_them(headers: dict[str, int | str]) -> None:
    ours = properties("text/plain", headers, "", "", "")
    theirs = spec.BasicProperties("text/plain", headers=headers, delivery_mode=2)
    assert ours == b"".join(theirs.encode())


@pytest.mark.parametrize("redelivered", [True, False])
@pytest.mark.parametrize("body", [b"", b"x", b"x" * 5000, bytes([206]) * 9])
def test_a_delivery_is_read_whole(body: bytes, redelivered: bool) -> None:
    frames = as_delivery(body, redelivered=redelivered)
    found = delivered(b"before" + frames + b"after", len(b"before"))
    assert found == Delivered(7, redelivered, known_to_pika(), body, len(b"before") + len(frames))


def test_a_delivery_that_is_not_all_there_yet_is_left() -> None:
    frames = as_delivery(b"body")
    assert [delivered(frames[:cut], 0) for cut in range(len(frames))] == [None] * len(frames)


@pytest.mark.parametrize(
    "others",
    [
        as_delivery(b"body" * 50, parts=2),
        frame.Method(CHANNEL, spec.Basic.Ack(7, True)).marshal() + as_delivery(b"x"),
        frame.Method(CHANNEL, spec.Basic.Return(404, "NO_ROUTE", "postroom", "nowhere")).marshal() + b"\x00" * 99,
        frame.Heartbeat().marshal() + as_delivery(b"x"),
        as_delivery(b"body").replace(b"\xce\x02", b"\xce\x08", 1),
        as_delivery(b"body")[:-1] + b"\x00",
    ],
    ids=["several body frames", "an ack", "a return", "a heartbeat", "another kind of header", "a bad end"],
)
def test_everything_else_is_left_to_pika(others: bytes) -> None:
    assert delivered(others, 0) is None


def test_frames_of_another_channel_in_between_are_left_to_pika() -> None:
    frames = as_delivery(b"body")
    at = frames.index(b"\xce\x02") + 1
    assert delivered(frames[: at + 1] + struct.pack(">H", CHANNEL + 1) + frames[at + 3 :], 0) is None


@given(st.binary(max_size=300))
def test_no_other_bytes_are_read_as_a_delivery(noise: bytes) -> None:
    assert delivered(noise, 0) is None


TEXTS = st.text(max_size=60)


@given(
    st.dictionaries(TEXTS, st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=200)),
    st.tuples(TEXTS, TEXTS, TEXTS, TEXTS),
)
def test_properties_are_read_as_pika_reads_them(headers: dict[str, int | str], texts: tuple[str, ...]) -> None:
    content_type, *others = texts
    raw = properties(content_type, headers, *others)
    assert read_properties(raw) == spec.BasicProperties().decode(raw)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"content_encoding": "binary"},
        {"priority": 3, "timestamp": 1_700_000_000},
        {"type": None},
        {"headers": None},
        {"headers": {"x-death": [{"queue": "filter", "count": 1}], "attempt": True}},
        {"headers": {"not UTF-8": b"\xff", "none": None}},
        {"message_id": b"\xff", "app_id": "another", "delivery_mode": 1},
    ],
    ids=str,
)
def test_properties_of_others_are_read_as_pika_reads_them(change: dict[str, object]) -> None:
    theirs = spec.BasicProperties(**(vars(known_to_pika()) | change))
    raw = b"".join(theirs.encode())
    assert read_properties(raw) == spec.BasicProperties().decode(raw)


@given(st.data())
def test_properties_that_were_cut_or_changed_are_read_as_pika_reads_them(data: st.DataObject) -> None:
    """Or refused, as it refuses them."""
    raw = bytearray(KNOWN[: data.draw(st.integers(2, len(KNOWN)))])
    for _ in range(data.draw(st.integers(0, 2))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert _result(read_properties, bytes(raw)) == _result(lambda each: spec.BasicProperties().decode(each), bytes(raw))


def _result(reading: Callable[[bytes], object], raw: bytes) -> object:
    try:
        return reading(raw)
    except Exception as error:
        return type(error)
