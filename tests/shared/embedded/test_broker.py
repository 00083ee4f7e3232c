"""What the embedded broker alone has to bear: clocks that are put back, and containers that share its folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from services.queues import QUEUES
from shared.contracts.errors import Unavailable
from shared.embedded import broker as embedded
from shared.embedded.broker import EmbeddedBroker
from shared.runtime.broker import Message
from tests.servers.presence import PATIENCE_SECONDS

DAY = 86_400


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """With one message on intake."""
    made = EmbeddedBroker(tmp_path, QUEUES)
    made.declare()
    made.publish([Message("a", "intake", b"")])
    yield made
    made.close()


def put_back(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The machine's clock, from here on."""
    clock = SimpleNamespace(time=lambda: time.time() - seconds, monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr(embedded, "time", clock)


def test_a_delayed_message_does_not_wait_for_a_clock_that_was_put_back(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = broker.consumer("intake", 1)
    consumer.wait(consumer.take(1)[0], 300)
    assert not consumer.take(0)
    put_back(monkeypatch, DAY)
    assert [each.message.id for each in consumer.take(1)] == ["a"]


def test_a_small_correction_of_the_clock_delivers_nothing_early(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks of machines run in UTC; small corrections leave what waits where it is."""
    consumer = broker.consumer("intake", 1)
    consumer.wait(consumer.take(1)[0], 300)
    put_back(monkeypatch, 30)
    assert not consumer.take(0)


def test_the_lease_of_another_container_is_not_judged_by_its_number(broker: EmbeddedBroker) -> None:
    """Every container's worker is process 1 in a namespace of its own."""
    assert broker.consumer("intake", 1).take(1)
    broker.file.connection.execute("UPDATE queue SET holder = 'another namespace/1/1/abc'")
    assert broker.free_dead() == 0
    here = broker.owner.split("/", 1)[0]
    place = broker.owner.rsplit("/", 3)[0]
    assert place.startswith(here)
    broker.file.connection.execute("UPDATE queue SET holder = ?", (f"{place}/1/1/abc",))
    assert broker.free_dead() == 1


def test_a_consumer_that_could_not_be_closed_leaves_no_message_leased(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path, QUEUES, lease_seconds=1.5)
    broker.declare()
    broker.publish([Message("a", "intake", b"")])
    consumer = broker.consumer("intake", 1)
    (delivery,) = consumer.take(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker.file, "writing", Mock(side_effect=Unavailable("the disk is full")))
        consumer.give_back(delivery)
        with pytest.raises(Unavailable):
            consumer.close()
    assert [each.count for each in broker.consumer("intake", 1).take(PATIENCE_SECONDS)] == [0]
    broker.close()


def test_while_the_file_cannot_be_written_only_the_first_return_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = EmbeddedBroker(tmp_path, QUEUES)
    broker.declare()
    broker.publish([Message(str(number), "intake", b"") for number in range(5)])
    consumer = broker.consumer("intake", 5)
    consumer._width = 5
    deliveries = consumer.take(0)
    with monkeypatch.context() as patch:
        patch.setattr(broker.file, "writing", tries := Mock(side_effect=Unavailable("locked")))
        for delivery in deliveries:
            consumer.give_back(delivery)
    assert tries.call_count == 1
    consumer.close()
    assert [each.ready for each in broker.depths() if each.name == "intake"] == [5]
    broker.close()


def crashed(broker: EmbeddedBroker, count: int) -> list[int]:
    """Take up to `count`, and lose the leases as a process does that is killed. Returns how often each was taken."""
    consumer = broker.consumer("intake", count)
    consumer._width = count
    taken = consumer.take(0)
    broker.file.connection.execute("UPDATE queue SET held = 0, holder = NULL")
    return [each.count for each in taken]


def test_what_ended_one_process_comes_together_and_what_ended_two_comes_alone(broker: EmbeddedBroker) -> None:
    broker.publish([Message(str(number), "intake", b"") for number in range(4)])
    assert crashed(broker, 3) == [0, 0, 0]
    assert crashed(broker, 4) == [1, 1, 1], "without the one that was never taken"
    consumer, seen = broker.consumer("intake", 4), list[list[int]]()
    while taken := consumer.take(0):
        seen.append([each.count for each in taken])
        for each in taken:
            consumer.settle(each)
    assert seen[:3] == [[2], [2], [2]]
    assert {count for counts in seen[3:] for count in counts} == {0}


def test_a_consumer_begins_with_one_message_whatever_it_had_ended(broker: EmbeddedBroker) -> None:
    broker.publish([Message(str(number), "intake", b"") for number in range(3)])
    assert crashed(broker, 3) == [0, 0, 0]
    consumer = broker.consumer("intake", 3)
    (first,) = consumer.take(0)
    consumer.settle(first)
    assert [each.count for each in consumer.take(0)] == [1, 1]


def test_consumers_of_one_process_are_counted_in_one_write(broker: EmbeddedBroker) -> None:
    consumers = [broker.consumer(name, 1) for name in QUEUES.names]
    begun = list[str]()
    broker.file.connection.set_trace_callback(lambda text: begun.append(text) if text.startswith("BEGIN") else None)
    for consumer in consumers[1:]:
        consumer.take(0)
    for consumer in consumers[1:]:
        consumer.close()
    assert len(begun) == 1
    shown = {depth.name: depth.consumers for depth in broker.depths()}
    assert [shown[name] for name in QUEUES.names] == [1] + [0] * (len(QUEUES.names) - 1)


def test_a_closed_consumer_is_counted_by_nobody_once_its_broker_is_closed(tmp_path: Path) -> None:
    first, other = EmbeddedBroker(tmp_path, QUEUES), EmbeddedBroker(tmp_path, QUEUES)
    first.declare()
    consumer = first.consumer("intake", 1)
    consumer.take(0)
    assert other.depths()[0].consumers == 1
    consumer.close()
    first.close()
    assert other.depths()[0].consumers == 0
    other.close()
