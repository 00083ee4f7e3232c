"""What the worker's thread sees of a connection, without one."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from services.queues import QUEUES
from shared.contracts.errors import Unavailable
from shared.rabbitmq.consumer import RabbitConsumer
from shared.rabbitmq.endpoint import Endpoint
from shared.rabbitmq.session import Tag, Timing
from shared.rabbitmq.topology import topology
from shared.runtime.broker import Delivery, Message
from tests.conformance.lanes import eventually
from tests.servers.presence import PATIENCE_SECONDS


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> RabbitConsumer:
    """Told that it is connected."""
    monkeypatch.setattr(RabbitConsumer, "_keep_connected", lambda _: None)
    made = RabbitConsumer(Endpoint.parse("amqp://127.0.0.1:1"), topology(QUEUES), "intake", 5, timing=Timing())
    made.opened()
    return made


def a_delivery(number: int, count: int = 0) -> Delivery:
    """One that the broker has handed out `count` times before."""
    return Delivery(Message(f"m{number}", "intake", b""), "intake", count, Tag(0, number))


def test_redelivered_messages_wait_until_the_last_of_them_has_come(consumer: RabbitConsumer) -> None:
    """Handed out before, the first would have the others beside it: should it kill us, they would die with it."""
    consumer.late_deliveries(may_come=True)
    consumer.arrived([a_delivery(1, count=1)])
    assert not consumer.take(0)
    consumer.arrived([a_delivery(2, count=1)])
    consumer.late_deliveries(may_come=False)
    assert not consumer.take(0)  # the second one is on its way back
    assert [leaving.delivery.message.id for leaving in consumer.outbox()] == ["m2"]
    consumer.finished([2])
    assert [each.message.id for each in consumer.take(0)] == ["m1"]
    assert consumer.held == 1


def test_ordinary_messages_do_not_wait_for_redelivered_ones(consumer: RabbitConsumer) -> None:
    consumer.late_deliveries(may_come=True)
    consumer.arrived([a_delivery(1, count=1)])
    consumer.arrived([a_delivery(2)])
    assert [each.message.id for each in consumer.take(0)] == ["m2"]


def test_a_few_wait_a_moment_for_those_that_come_behind_them(
    consumer: RabbitConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        consumer.arrived([a_delivery(number) for number in (2, 3)])

    monkeypatch.setattr(time, "sleep", sleep)
    assert not consumer.take(0)
    assert not slept
    consumer.arrived([a_delivery(1)])
    assert [each.message.id for each in consumer.take(0)] == ["m1", "m2", "m3"]
    consumer.arrived([a_delivery(number) for number in (4, 5)])
    assert len(consumer.take(0)) == 2  # as many as may be in hand
    assert len(slept) == 1


def test_a_consumer_that_is_paused_while_it_connects_does_not_connect_again() -> None:
    """Connected again it would get messages, give each back to the end of the queue, and get it again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE_SECONDS)
        endpoint = Endpoint.parse(f"amqp://127.0.0.1:{silent.getsockname()[1]}")
        consumer = RabbitConsumer(endpoint, topology(QUEUES), "intake", 5, timing=Timing(connect=PATIENCE_SECONDS))
        first, _ = silent.accept()
        consumer.rest()
        assert not consumer._awake.is_set()
        first.close()
        eventually(lambda: consumer._unavailable)
        silent.settimeout(2)
        with pytest.raises(TimeoutError):
            silent.accept()
        with pytest.raises(Unavailable):
            consumer.take(0)
        silent.settimeout(PATIENCE_SECONDS)
        again, _ = silent.accept()
        again.close()
        consumer.close()


class Woken:
    """A session that counts how often it is woken and retired."""

    def __init__(self) -> None:
        self.times = self.retired = 0

    def wake(self) -> None:
        """Once more."""
        self.times += 1

    def retire(self, _reason: object) -> None:
        """Once more."""
        self.retired += 1


@pytest.fixture
def woken(consumer: RabbitConsumer) -> Any:
    """Five deliveries are in the worker's hand."""
    consumer._session = Woken()  # type: ignore[assignment]
    consumer.arrived([a_delivery(number) for number in range(1, 6)])
    assert len(consumer.take(0)) == 5
    return consumer._session


def test_a_batch_is_sent_when_its_last_delivery_is_settled(consumer: RabbitConsumer, woken: Woken) -> None:
    for number in range(1, 5):
        consumer.settle(a_delivery(number))
    assert not woken.times
    consumer.give_back(a_delivery(5))
    assert woken.times == 1
    assert len(consumer.outbox()) == 5


def test_part_of_a_batch_is_sent_when_the_worker_takes_again(consumer: RabbitConsumer, woken: Woken) -> None:
    consumer.settle(a_delivery(1))
    consumer.take(0)
    assert woken.times == 1
    consumer.take(0)
    assert woken.times == 1  # still awake


def test_what_arrives_while_closing_goes_straight_back(consumer: RabbitConsumer, woken: Woken) -> None:
    consumer._closing.set()
    consumer.arrived([a_delivery(6), a_delivery(7)])
    assert woken.times == 1
    assert [leaving.number for leaving in consumer.outbox()] == [6, 7]


def test_a_consumer_that_is_paused_while_rabbitmq_is_blocked_pauses_afterwards(
    consumer: RabbitConsumer, woken: Woken
) -> None:
    """A worker that is paused says it each time it looks."""
    consumer.blocked("low on memory")
    consumer.rest()
    assert (consumer.held, woken.retired) == (5, 0)
    consumer.blocked("")
    consumer.rest()
    assert woken.retired == 1
    assert len(consumer.outbox()) == 5
