"""Messages as RabbitMQ carries them, and as strangers write them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import data, spec

from services.queues import QUEUES
from shared.contracts.errors import BoundExceeded
from shared.rabbitmq import wire
from shared.rabbitmq.topology import topology
from shared.runtime.broker import MAX_DELIVERIES, Message

NAMES = topology(QUEUES)


def death(queue: str, reason: str = "delivery_limit") -> dict[str, object]:
    """One entry of x-death."""
    return {"queue": queue, "reason": reason, "count": 1, "exchange": "postroom", "routing-keys": ["x"]}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"x-death": [death("postroom.filter")]}, "filter"),
        ({"x-death": [death("postroom.filter"), death("postroom.retry.5", "expired")]}, "filter"),
        ({"x-death": [death("postroom.retry.5", "expired"), death("postroom.intake")]}, "intake"),
        ({"x-death": [death("postroom.intake", "expired")]}, "intake"),
        ({"x-first-death-queue": "postroom.intake", "x-first-death-reason": "delivery_limit"}, "intake"),
        ({"x-death": [death("postroom.dead-letter")]}, None),
        ({"x-death": [death("postroom.retry.5", "expired")]}, None),
        ({"x-death": [death("other.filter")]}, None),
        ({"x-death": "nonsense"}, None),
        ({"x-death": [1, None, {}]}, None),
        ({}, None),
    ],
)
def test_the_newest_death_in_a_work_queue_tells_where_a_message_died(
    table: dict[object, object], expected: str
) -> None:
    found = wire.death_of(table, NAMES)
    assert (found.queue if found else None) == expected


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("delivery_limit", "handed out 5 times and never settled"),
        (
            "expired",
            "the message expired before a worker took it: its publisher, or a policy of RabbitMQ, limits its time",
        ),
        ("rejected", "dead-lettered by the broker: rejected"),
        ("maxlen", "dead-lettered by the broker: maxlen"),
    ],
)
def test_the_brokers_reason_in_words(reason: str, words: str) -> None:
    found = wire.death_of({"x-death": [death("postroom.filter", reason)]}, NAMES)
    assert found is not None
    assert found.reason == words


def test_a_brokers_burial_overrules_forged_headers() -> None:
    headers: dict[str, str | int] = {"reason": "forged", "queue": "forged", "inbox": "support"}
    wire.buried_by_broker(headers, {"x-death": [death("postroom.filter")]}, NAMES)
    assert headers == {
        "reason": "handed out 5 times and never settled",
        "stage": "filter",
        "queue": "filter",
        "inbox": "support",
    }


@pytest.mark.parametrize(
    ("version", "counter"),
    [
        ("3.10.8", "x-delivery-count"),
        ("4.0.5", "x-delivery-count"),
        ("4.2.9", "x-delivery-count"),
        ("4.3.0-rc.1", "x-acquired-count"),
        ("4.10.0", "x-acquired-count"),
        ("5.0.0", "x-acquired-count"),
        (b"4.3.1", "x-acquired-count"),
        ("", "x-delivery-count"),
        ("a fork", "x-delivery-count"),
        (None, "x-delivery-count"),
    ],
)
def test_the_header_that_counts_hand_outs_depends_on_the_version(version: object, counter: str) -> None:
    assert wire.counter_of({"product": "RabbitMQ", "version": version}) == counter


def test_a_broker_that_says_nothing_of_itself_counts_as_an_old_one() -> None:
    assert wire.counter_of(None) == wire.counter_of({}) == "x-delivery-count"


@pytest.mark.parametrize(
    ("table", "redelivered", "count"),
    [
        ({}, False, 0),
        ({}, True, 1),
        ({"x-delivery-count": 3}, True, 3),
        ({"x-delivery-count": 3, "x-handed-out": 1}, True, 4),
        ({"x-handed-out": 2}, False, 2),
        ({"x-delivery-count": "3", "x-handed-out": -5}, False, 0),
        ({"x-delivery-count": 5}, False, 0),
        ({"x-delivery-count": 2, "x-acquired-count": 9}, True, 2),
        ({"x-handed-out": 2**62}, False, MAX_DELIVERIES - 1),
        ({"x-handed-out": 2**62}, True, MAX_DELIVERIES),
    ],
    ids=[
        "first", "again", "counted", "counted and carried", "carried", "no numbers", "count of another queue",
        "forged acquisitions", "forged copy", "forged copy that killed",
    ],
)  # fmt: skip
def test_how_often_a_message_was_handed_out(table: dict[object, object], redelivered: bool, count: int) -> None:
    assert wire.handed_out(table, redelivered=redelivered, counter="x-delivery-count") == count


@pytest.mark.parametrize(
    ("table", "redelivered", "count"),
    [
        ({"x-acquired-count": 3}, True, 3),
        ({"x-acquired-count": 3, "x-delivery-count": 7}, True, 3),
        ({"x-delivery-count": 7}, True, 1),
        ({"x-acquired-count": 5, "x-delivery-count": 5}, False, 0),
    ],
    ids=["no failure", "forged failures", "forged and none counted", "count of another queue"],
)
def test_how_often_rabbitmq_4_3_handed_a_message_out(
    table: dict[object, object], redelivered: bool, count: int
) -> None:
    assert wire.handed_out(table, redelivered=redelivered, counter="x-acquired-count") == count


def test_history_is_neither_shown_nor_sent_on() -> None:
    table = {
        "x-death": [death("postroom.filter")],
        "x-first-death-queue": "q",
        "x-delivery-count": 2,
        "x-handed-out": 1,
    }
    assert wire.incoming({**table, "attempt": 1}) == {"attempt": 1}


@pytest.mark.parametrize("value", [["support"], {"name": "support"}, ()])
def test_an_inbox_that_is_not_text_is_not_treated_as_missing(value: object) -> None:
    """Without an inbox a mail goes to the default one, where nobody expects it; in words it names none that exists."""
    assert wire.incoming({"inbox": value, "other": value}) == {"inbox": repr(value)}


def test_what_was_forged_is_not_sent_on() -> None:
    assert wire.outgoing({"x-death": "forged", "attempt": 1}, 2) == {"attempt": 1, "x-handed-out": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a" * 300, "a" * 255),
        ("ü" * 200, "ü" * 127),
        ("lone \ud800 surrogate", "lone ? surrogate"),
    ],
)
def test_short_strings_are_cut_between_characters(text: str, expected: str) -> None:
    assert wire.short(text) == expected


def test_a_body_at_the_limit_passes_and_one_byte_more_does_not() -> None:
    wire.check_size(Message("1", "intake", bytes(wire.MAX_MESSAGE_BYTES)))
    with pytest.raises(BoundExceeded, match="message_size"):
        wire.check_size(Message("1", "intake", bytes(wire.MAX_MESSAGE_BYTES + 1)))


def encoded(table: dict[str, object]) -> bytes:
    """As pika writes it, without its length."""
    pieces: list[bytes] = []
    data.encode_table(pieces, table)
    return b"".join(pieces)[4:]


def test_our_reader_reads_what_pika_writes() -> None:
    table = {"text": "Grüße", "number": 7, "big": 2**40, "yes": True, "nested": {"a": [1, "b"]}, "none": None}
    assert wire.read_table(encoded(table)) == {"text": "Grüße".encode(), "number": 7, "big": 2**40, "yes": 1}


@given(st.binary(max_size=200))
def test_our_reader_survives_any_bytes(raw: bytes) -> None:
    assert isinstance(wire.incoming(wire.read_table(raw)), dict)


@given(
    st.dictionaries(st.text(max_size=40) | st.binary(max_size=9), st.none() | st.text() | st.binary() | st.integers())
)
def test_incoming_headers_can_always_be_sent_again(table: dict[object, object]) -> None:
    headers = wire.outgoing(wire.incoming(table))
    assert encoded(dict(headers)) is not None


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "content_type": st.text(max_size=50),
            "content_encoding": st.just("gzip"),
            "headers": st.just({"inbox": "support", "n": 5}),
            "delivery_mode": st.just(2),
            "message_id": st.text(max_size=50),
            "timestamp": st.integers(0, 2**40),
            "type": st.text(max_size=50),
        },
    )
)
def test_headers_are_cut_out_of_any_properties(fields: dict[str, object]) -> None:
    whole = b"".join(spec.BasicProperties(**fields).encode())
    rest, table = wire.split_headers(whole)
    without = spec.BasicProperties()
    without.decode(rest)
    assert without == spec.BasicProperties(**{**fields, "headers": None})
    assert wire.read_table(table) == ({"inbox": b"support", "n": 5} if "headers" in fields else {})


def test_a_table_that_lies_about_its_length_gives_what_could_be_read() -> None:
    raw = encoded({"inbox": "support"}) + b"\x01nS" + struct.pack(">I", 2**31)
    assert wire.incoming(wire.read_table(raw))["inbox"] == "support"


def test_of_headers_that_no_frame_would_hold_the_largest_stay_behind() -> None:
    ours = {"attempt": 2, "inbox": "support", "reason": "größer " * 250}
    assert wire.outgoing({"x-debug": "d" * 130_000, **ours}, handed_out=3) == {**ours, wire.HANDED_OUT: 3}
    many = wire.outgoing({**ours, **{f"x-{n}": "v" * 40 for n in range(3000)}})
    assert ours.items() <= many.items()
    assert data.encode_table([], many) < 110_000


def test_headers_that_fit_all_travel() -> None:
    headers = {"x-debug": "d" * 90_000, "envelope-to": "anna@customer.example, " * 100}
    assert wire.outgoing(headers) == headers
