"""Messages that stages hand on in memory: what is written, when, and what an error leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import Mock

import pytest

from services.queues import QUEUES
from shared.contracts.errors import PostroomError, Unavailable
from shared.contracts.events import NotificationQueued
from shared.embedded.broker import EmbeddedBroker, EmbeddedConsumer
from shared.embedded.file import LocalFile
from shared.runtime.broker import Message, Unroutable
from shared.runtime.envelope import INLINE, carry, unpack


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """With two messages on intake."""
    made = EmbeddedBroker(LocalFile(tmp_path), QUEUES)
    made.declare()
    made.publish([Message("a", "intake", b""), Message("b", "intake", b"")])
    yield made
    made.close()


@pytest.fixture
def parser(broker: EmbeddedBroker) -> EmbeddedConsumer:
    """A consumer that takes both messages at once."""
    made = broker.consumer("intake", 8)
    made._width = 8
    return made


def rows(broker: EmbeddedBroker) -> list[tuple[str, str, int, int]]:
    """Queue, id, whether held, takes: as another process sees them."""
    with sqlite3.connect(broker.file.path) as other:
        return other.execute("SELECT queue, id, held, takes FROM queue ORDER BY seq").fetchall()


def test_what_is_handed_on_is_never_a_row(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    filter_ = broker.consumer("filter", 8)
    with broker.relay():
        for delivery in parser.take(0):
            parser.settle(delivery, [Message(f"{delivery.message.id}2", "filter", b"")])
        handed_on = filter_.take(0)
        assert [(each.message.id, each.count) for each in handed_on] == [("a2", 0), ("b2", 0)]
        for delivery in handed_on:
            filter_.settle(delivery, [Message(f"{delivery.message.id}3", "notifier", b"")])
        assert rows(broker) == [("intake", "a", 1, 1), ("intake", "b", 1, 1)]
    assert rows(broker) == [("notifier", "a23", 0, 0), ("notifier", "b23", 0, 0)]


def commits(statements: list[str]) -> list[str]:
    """Of each transaction, whether it was synced."""
    mode, found = "FULL", list[str]()
    for statement in statements:
        if statement.startswith("PRAGMA synchronous="):
            mode = statement.partition("=")[2]
        elif statement == "COMMIT":
            found.append(mode)
    return found


def test_nothing_in_a_relay_waits_for_the_disk(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    """Decision 0189."""
    parser.take(0)  # counts the consumer
    broker.publish([Message("c", "intake", b"")])
    statements = list[str]()
    broker.file.connection.set_trace_callback(statements.append)
    with broker.relay():
        (delivery,) = parser.take(0)
        parser.settle(delivery, [Message("c2", "filter", b"")])
    assert commits(statements) == ["NORMAL", "NORMAL"]
    broker.consumer("filter", 8).take(0)
    assert commits(statements)[2:] == ["FULL", "FULL"], "who takes outside of a relay may tell others"


def test_after_a_relay_that_failed_commits_are_synced_again(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    with pytest.raises(Unavailable), broker.relay():  # noqa: PT012
        parser.take(0)
        raise Unavailable("the disk")
    statements = list[str]()
    broker.file.connection.set_trace_callback(statements.append)
    broker.publish([Message("c", "intake", b"")])
    assert commits(statements) == ["FULL"]


def test_on_an_error_nothing_was_done_and_all_goes_back_uncounted(
    broker: EmbeddedBroker, parser: EmbeddedConsumer
) -> None:
    filter_ = broker.consumer("filter", 8)
    with pytest.raises(Unavailable), broker.relay():  # noqa: PT012
        for delivery in parser.take(0):
            parser.settle(delivery, [Message(f"{delivery.message.id}2", "filter", b"")])
        filter_.settle(filter_.take(0)[0], [Message("a3", "notifier", b"")])
        raise Unavailable("the store")
    assert rows(broker) == [("intake", "a", 1, 1), ("intake", "b", 1, 1)]
    parser.flush()
    assert rows(broker) == [("intake", "a", 0, 0), ("intake", "b", 0, 0)]


def test_what_the_first_stage_wrote_is_undone_with_the_relay(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    with pytest.raises(Unavailable), broker.relay():  # noqa: PT012
        taken = parser.take(0)
        broker.open_relay()
        broker.publish([Message("by the parser", "notifier", b"")])
        parser.settle(taken[0])
        raise Unavailable("the store")
    assert rows(broker) == [("intake", "a", 1, 1), ("intake", "b", 1, 1)]


def test_what_goes_back_in_a_relay_that_fails_goes_back_after_it(
    broker: EmbeddedBroker, parser: EmbeddedConsumer
) -> None:
    with pytest.raises(Unavailable), broker.relay():  # noqa: PT012
        taken = parser.take(0)
        broker.open_relay()
        for delivery in taken:
            parser.give_back(delivery)
        parser.flush()
        raise Unavailable("the broker")
    assert rows(broker) == [("intake", "a", 1, 1), ("intake", "b", 1, 1)]
    parser.flush()
    assert rows(broker) == [("intake", "a", 0, 0), ("intake", "b", 0, 0)]


def test_a_relay_that_cannot_let_go_ends_its_transaction(
    broker: EmbeddedBroker, parser: EmbeddedConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no stage follows, that is the first thing that its end does."""
    with monkeypatch.context() as patch:
        patch.setattr(parser, "_still_ours", Mock(side_effect=sqlite3.OperationalError("disk I/O error")))
        with pytest.raises(Unavailable), broker.relay():  # noqa: PT012
            for delivery in parser.take(0):
                parser.settle(delivery)
    broker.publish([Message("c", "intake", b"")])
    parser.flush()
    assert rows(broker) == [("intake", name, 0, 0) for name in "abc"]


def test_in_an_open_relay_no_row_is_taken(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    """It would be counted only at the end: a message that ends the process would come again for ever."""
    broker.publish([Message("of an earlier process", "filter", b"")])
    with broker.relay():
        parser.take(0)
        broker.open_relay()
        assert not broker.consumer("filter", 8).take(0)


def test_what_no_stage_of_the_round_takes_is_written(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    with broker.relay():
        for delivery in parser.take(0):
            parser.settle(delivery, [Message(f"{delivery.message.id}2", "filter", b"")])
    assert rows(broker) == [("filter", "a2", 0, 0), ("filter", "b2", 0, 0)]


def test_what_waits_or_fails_or_goes_back_in_a_round_is_written(
    broker: EmbeddedBroker, parser: EmbeddedConsumer
) -> None:
    broker.publish([Message("c", "intake", b"")])
    filter_ = broker.consumer("filter", 8)
    with broker.relay():
        for delivery in parser.take(0):
            parser.settle(delivery, [Message(f"{delivery.message.id}2", "filter", b"")])
        waiting, failing, returned = filter_.take(0)
        filter_.wait(waiting, 300)
        filter_.bury(failing, "why", "filter")
        filter_.give_back(returned)
        assert not filter_.take(0)
    assert sorted(rows(broker)) == [("dead-letter", "b2", 0, 0), ("filter", "a2", 1, 0), ("filter", "c2", 0, 0)]


def test_a_lost_lease_causes_nothing(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    with broker.relay():
        taken = parser.take(0)
        broker.file.connection.execute("UPDATE queue SET holder = 'another' WHERE id = 'a'")
        for delivery in taken:
            parser.settle(delivery, [Message(f"{delivery.message.id}2", "filter", b"")])
        assert [each.message.id for each in broker.consumer("filter", 8).take(0)] == ["b2"]


def test_a_row_is_counted_before_it_is_handed_out(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    with broker.relay():
        parser.take(0)
        assert [row[3] for row in rows(broker)] == [1, 1]


def test_flushing_inside_a_round_lets_no_message_overtake(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    with broker.relay():
        first, second = parser.take(0)
        parser.settle(first, [Message("a2", "filter", b"")])
        parser.flush()
        parser.settle(second, [Message("b2", "filter", b"")])
        assert [each.message.id for each in broker.consumer("filter", 8).take(0)] == ["a2", "b2"]


def test_an_unroutable_message_is_refused_at_once(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    with pytest.raises(Unroutable), broker.relay():
        parser.settle(parser.take(0)[0], [Message("a2", "nowhere", b"")])


def test_a_delivery_of_an_ended_round_is_refused(broker: EmbeddedBroker, parser: EmbeddedConsumer) -> None:
    filter_ = broker.consumer("filter", 8)
    with broker.relay():
        parser.settle(parser.take(0)[0], [Message("a2", "filter", b"")])
        (kept,) = filter_.take(0)
    with pytest.raises(PostroomError, match="ended"):
        filter_.settle(kept)


def test_rows_of_another_consumer_cannot_join_a_transaction_that_has_begun(
    broker: EmbeddedBroker, parser: EmbeddedConsumer
) -> None:
    broker.publish([Message("other", "filter", b"")])
    filter_ = broker.consumer("filter", 8)
    (before,) = filter_.take(0)
    with pytest.raises(PostroomError, match="before the relay"), broker.relay():  # noqa: PT012
        parser.settle(parser.take(0)[0], [Message("a2", "filter", b"")])
        filter_.take(0)
        filter_.settle(before)


@dataclass
class Kept:
    """Counts the events that are kept because they are too large to travel."""

    bodies: list[bytes] = field(default_factory=list)

    def keep(self, body: bytes, _mail_id: str, _queue: str) -> str:
        """Remember one."""
        self.bodies.append(body)
        return "0" * 64


@pytest.mark.parametrize("size", [10, INLINE + 1])
def test_an_event_is_made_bytes_only_when_it_is_written(
    broker: EmbeddedBroker, parser: EmbeddedConsumer, size: int
) -> None:
    large, event = Kept(), NotificationQueued("m" * size, "o")
    cause = Message("a", "intake", b"")
    message = carry(event, "filter", cause=cause, stage="parser", index=0, large=large)
    with broker.relay():
        first, second = parser.take(0)
        parser.settle(first, [message])
        (handed_on,) = broker.consumer("filter", 8).take(0)
        assert unpack(handed_on.message, None) is event  # type: ignore[arg-type]
        assert not large.bodies
        parser.give_back(second)
    assert [row[:2] for row in rows(broker)] == [("intake", "b"), ("filter", message.id)]
    assert bool(large.bodies) == (size > INLINE)
