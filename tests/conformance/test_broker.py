"""The promises of the Broker port, on every adapter."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.queues import QUEUES
from shared.contracts.errors import PostroomError, Unavailable
from shared.runtime.broker import MAX_DELIVERIES, Broker, Delivery, Message, Unroutable
from shared.runtime.outcome import Emit, Outcome
from shared.runtime.stage import Stage
from shared.runtime.worker import LONGEST_PAUSE_SECONDS, Worker, WorkerDependencies
from tests.conformance.child import POISON
from tests.conformance.lanes import (
    BROKERS,
    PATIENT,
    TIER_SCALE,
    Lane,
    a_message,
    depth,
    eventually,
    messages,
    take_all,
    take_one,
    take_some,
    take_within,
    url_of,
)
from tests.servers.presence import PATIENCE_SECONDS
from tests.servers.rabbitmq import RabbitNodes


@pytest.fixture(params=BROKERS)
def lane(request: pytest.FixtureRequest, rabbit_nodes: RabbitNodes, tmp_path: Path) -> Iterator[Lane]:
    """A fresh place on each adapter, declared."""
    with (
        url_of(request.param, rabbit_nodes) as url,
        closing(Lane("rabbitmq", url) if url else Lane("embedded", str(tmp_path))) as lane,
    ):
        yield lane


@pytest.fixture
def broker(lane: Lane) -> Broker:
    """Declared and ready."""
    broker = lane.broker()
    broker.declare()
    return broker


# -- what goes in comes out


@pytest.mark.parametrize(
    "message",
    [
        a_message(),
        Message("bare", "intake", b""),
        a_message(body=bytes(range(256)) * 3),
        a_message(body=b"x" * 3_000_000),
        a_message(content_type="message/rfc822", headers={"inbox": "support", "source-id": "IMAP:7"}),
        a_message(headers={"attempt": 3, "big": 2**40, "negative": -5, "text": "Grüße 你好 \U0001f600", "empty": ""}),
        a_message(headers={"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}),
        a_message(id="a" * 200, correlation_id="ü" * 100),
    ],
    ids=["usual", "bare", "binary", "three megabytes", "raw mail", "headers", "trace", "long ids"],
)
def test_a_message_arrives_as_it_was_sent(broker: Broker, message: Message) -> None:
    broker.publish([message])
    delivery = take_one(broker.consumer("intake", 1))
    assert delivery.message == message
    assert (delivery.queue, delivery.count) == ("intake", 0)


@pytest.mark.parametrize("queue", QUEUES.names)
def test_every_queue_takes_and_gives(broker: Broker, queue: str) -> None:
    broker.publish([a_message(to=queue)])
    assert take_one(broker.consumer(queue, 5)).message.body == b"body 1"


def test_a_message_that_no_queue_takes_is_an_error(broker: Broker) -> None:
    with pytest.raises(Unroutable, match="nowhere"):
        broker.publish([a_message(), a_message(2, to="nowhere")])


def test_equal_ids_are_different_messages(broker: Broker) -> None:
    broker.publish([a_message(), a_message(body=b"second")])
    taken = take_all(broker.consumer("intake", 10), 2)
    assert {each.message.body for each in taken} == {b"body 1", b"second"}


def test_publishing_nothing_is_nothing(broker: Broker) -> None:
    broker.publish([])
    broker.announce([])
    assert broker.in_flight() == 0


def test_announcing_to_nobody_is_fine(broker: Broker) -> None:
    broker.announce([Message("e1", "record.created", b"{}")])
    assert broker.in_flight() == 0


def test_declaring_twice_keeps_what_is_there(lane: Lane, broker: Broker) -> None:
    broker.publish([a_message()])
    broker.declare()
    lane.broker().declare()
    assert depth(broker, "intake") == 1


# -- taking


def test_take_is_empty_when_nothing_comes(broker: Broker) -> None:
    assert not take_within(broker.consumer("intake", 10), 0.1)


def test_a_consumer_starts_with_one_and_widens(broker: Broker) -> None:
    """Ten are in hand at once, whether they come together or one after the other."""
    broker.publish(messages(40))
    consumer = broker.consumer("intake", 10)
    consumer.settle(take_one(consumer))
    consumer.flush()
    held: list[Delivery] = []
    while len(held) < 10:
        batch = take_some(consumer)
        assert len(batch) <= 10
        held += batch
    for each in held:
        consumer.settle(each)
    consumer.flush()


def test_two_consumers_share_a_queue(lane: Lane, broker: Broker) -> None:
    broker.publish(messages(60))
    consumers = [broker.consumer("intake", 5), lane.broker().consumer("intake", 5)]
    seen: list[str] = []
    while len(seen) < 60:
        for consumer in consumers:
            for each in take_within(consumer, 0.2):
                seen.append(each.message.id)
                consumer.settle(each)
            consumer.flush()
    assert sorted(seen) == sorted(each.id for each in messages(60))


# -- settling


def test_what_a_delivery_caused_is_published_and_the_delivery_is_gone(broker: Broker) -> None:
    broker.publish([a_message()])
    consumer = broker.consumer("intake", 1)
    caused = [a_message(10, "filter"), a_message(11, "notifier", headers={"attempt": 0})]
    consumer.settle(take_one(consumer), caused)
    consumer.flush()
    assert take_one(broker.consumer("filter", 1)).message == caused[0]
    assert take_one(broker.consumer("notifier", 1)).message == caused[1]
    assert depth(broker, "intake") == 0


def test_many_hops_lose_and_double_nothing(broker: Broker) -> None:
    broker.publish(messages(300))
    consumer = broker.consumer("intake", 50)
    hops = 0
    while hops < 300:
        for each in take_some(consumer):
            consumer.settle(each, [a_message(0, "filter", id=f"{each.message.id}-next", body=each.message.body)])
            hops += 1
    consumer.flush()
    arrived = take_all(broker.consumer("filter", 50), 300)
    assert sorted(each.message.id for each in arrived) == sorted(f"{each.id}-next" for each in messages(300))
    assert broker.in_flight() == 0


def test_flush_without_work_waits_for_no_confirm(broker: Broker) -> None:
    began = time.monotonic()
    broker.consumer("intake", 1).flush()
    assert time.monotonic() - began < PATIENT["confirm"]


def test_redeliver_counts_an_attempt(broker: Broker) -> None:
    broker.publish([a_message(headers={"inbox": "support"})])
    consumer = broker.consumer("intake", 1)
    for attempt in range(3):
        delivery = take_one(consumer)
        assert delivery.message.attempt == attempt
        consumer.redeliver(delivery, 5)
        consumer.flush()
    last = take_one(consumer).message
    assert (last.id, last.attempt, last.headers["inbox"], last.body) == ("id-1", 3, "support", b"body 1")


def test_wait_counts_nothing_and_comes_back_to_its_queue(broker: Broker) -> None:
    broker.publish([a_message(to="sender-matcher", headers={"attempt": 2})])
    consumer = broker.consumer("sender-matcher", 1)
    for _ in range(2):
        consumer.wait(take_one(consumer), 5)
        consumer.flush()
    delivery = take_one(consumer)
    assert delivery.message == a_message(to="sender-matcher", headers={"attempt": 2})
    assert delivery.queue == "sender-matcher"


def test_waiting_keeps_what_the_worker_noted_on_the_message(broker: Broker) -> None:
    from dataclasses import replace

    broker.publish([a_message()])
    consumer = broker.consumer("intake", 1)
    delivery = take_one(consumer)
    consumer.wait(replace(delivery, message=delivery.message.with_headers(waiting_since=17)), 5)
    assert take_one(consumer).message.headers == {"waiting_since": 17}


def test_a_waiting_message_is_held_back(broker: Broker) -> None:
    broker.publish([a_message()])
    consumer = broker.consumer("intake", 1)
    first = take_one(consumer)
    began = time.monotonic()
    consumer.wait(first, 30)
    take_one(consumer)
    assert time.monotonic() - began > 30 * TIER_SCALE * 0.9


def test_a_waiting_message_is_counted(broker: Broker) -> None:
    broker.publish([a_message()])
    consumer = broker.consumer("intake", 1)
    consumer.wait(take_one(consumer), 300)
    consumer.flush()
    assert depth(broker, "retry") == 1
    assert broker.in_flight() == 1


def test_a_message_given_back_for_ten_minutes_is_not_taken_for_poison(broker: Broker) -> None:
    """As often as a worker does at most while the store is unavailable."""
    broker.publish([a_message(headers={"attempt": 1, "inbox": "support"})])
    consumer = broker.consumer("intake", 10)
    for _ in range(round(600 / LONGEST_PAUSE_SECONDS)):
        consumer.give_back(take_one(consumer))
        consumer.flush()
    delivery = take_one(consumer)
    assert delivery.message == a_message(headers={"attempt": 1, "inbox": "support"})
    assert depth(broker, "dead-letter") == 0


def test_bury_keeps_the_original_with_its_reason(broker: Broker) -> None:
    original = a_message(to="filter", headers={"attempt": 4, "inbox": "support"})
    broker.publish([original])
    consumer = broker.consumer("filter", 1)
    consumer.bury(take_one(consumer), "the rule «größer» cannot be read", "filter")
    consumer.flush()
    letter = take_one(broker.consumer("dead-letter", 1)).message
    assert (letter.id, letter.body, letter.type, letter.correlation_id) == ("id-1", b"body 1", "MailParsed", "mail-1")
    assert letter.headers == {
        "attempt": 4,
        "inbox": "support",
        "reason": "the rule «größer» cannot be read",
        "stage": "filter",
        "queue": "filter",
    }


def test_a_dead_letter_that_fails_is_parked(broker: Broker) -> None:
    broker.publish([a_message(to="dead-letter")])
    consumer = broker.consumer("dead-letter", 1)
    consumer.bury(take_one(consumer), "cannot be stored", "dead-letter")
    consumer.flush()
    eventually(lambda: depth(broker, "parked") == 1)
    assert depth(broker, "dead-letter") == 0


def test_a_delivery_of_another_broker_is_refused(broker: Broker) -> None:
    from dataclasses import replace

    broker.publish([a_message()])
    consumer = broker.consumer("intake", 1)
    foreign = replace(take_one(consumer), tag="not one of mine")
    with pytest.raises(PostroomError):
        consumer.settle(foreign)


# -- crashes


def test_what_was_not_settled_comes_back_after_kill_9(lane: Lane, broker: Broker) -> None:
    broker.publish([a_message()])
    child = lane.child("hold", "intake")
    assert child.report() == ["id-1"]
    child.kill()
    child.wait()
    broker.declare()
    delivery = take_one(broker.consumer("intake", 1))
    assert delivery.message == a_message()
    assert delivery.count == 1


def test_what_was_flushed_stays_done_after_kill_9(lane: Lane, broker: Broker) -> None:
    broker.publish([a_message()])
    lane.child("flush_and_crash", "intake").wait()
    broker.declare()
    assert take_one(broker.consumer("filter", 1)).message.id == "id-1-next"
    assert not take_within(broker.consumer("intake", 1), 0.5)


def test_settling_later_deliveries_settles_no_earlier_one(lane: Lane, broker: Broker) -> None:
    broker.publish(messages(30))
    child = lane.child("leave_one_and_crash", "intake", 8)
    left, *settled = child.report()
    child.wait()
    broker.declare()
    consumer, came_back = broker.consumer("intake", 8), set()
    while batch := take_within(consumer, 1.0):
        came_back |= {each.message.id for each in batch}
        for each in batch:
            consumer.settle(each)
    assert left in came_back
    assert not came_back & set(settled)


def test_a_redelivered_message_shares_no_batch_with_ordinary_ones(lane: Lane, broker: Broker) -> None:
    broker.publish(messages(10))
    child = lane.child("widen_and_hold", "intake", 5)
    assert child.report()
    eventually(lambda: depth(broker, "intake") <= 4)
    child.kill()
    child.wait()
    broker.declare()
    consumer = broker.consumer("intake", 5)
    seen = []
    while len(seen) < 9:
        batch = take_some(consumer)
        assert len({each.count for each in batch}) == 1
        assert len(batch) == 1 or batch[0].count < 2
        seen += batch
        for each in batch:
            consumer.settle(each)
        consumer.flush()
    assert len({each.message.id for each in seen}) == 9
    assert sum(bool(each.count) for each in seen) >= 1


def test_a_message_that_kills_its_worker_goes_to_the_dead_letters(lane: Lane, broker: Broker) -> None:
    broker.publish([a_message(to="filter", headers={"inbox": "support"})])
    counts = []
    for _ in range(MAX_DELIVERIES):
        child = lane.child("take_and_crash", "filter")
        counts.append(child.report()[0][1])
        child.wait()
    assert counts == list(range(MAX_DELIVERIES))
    broker.declare()
    assert not take_within(broker.consumer("filter", 1), 0.5)
    letter = take_one(broker.consumer("dead-letter", 1)).message
    assert (letter.id, letter.body, letter.correlation_id) == ("id-1", b"body 1", "mail-1")
    assert letter.headers["inbox"] == "support"
    assert letter.headers["reason"] == "handed out 5 times and never settled"
    assert (letter.headers["queue"], letter.headers["stage"]) == ("filter", "filter")


def test_one_poison_among_a_hundred_takes_no_other_down(lane: Lane, broker: Broker) -> None:
    good = messages(100)
    broker.publish([*good[:37], a_message(999, body=POISON), *good[37:]])
    ends: list[int] = []
    while ends.count(-signal.SIGKILL) < MAX_DELIVERIES or ends[-1]:
        ends.append(lane.child("die_of_poison", "intake", 20).wait())
        assert len(ends) < 20, ends
    letters, consumer = broker.consumer("dead-letter", 5), broker.consumer("filter", 50)
    missing = {each.body for each in good}
    while missing:  # a crash between confirm and acknowledgement repeats, and loses nothing
        missing -= {each.message.body for each in take_all(consumer, 1)}
    assert take_one(letters).message.id == "id-999"
    assert depth(broker, "intake") == depth(broker, "dead-letter") == 0


# -- the end


def test_what_is_held_at_the_close_goes_to_others_uncounted(lane: Lane, broker: Broker) -> None:
    broker.publish(messages(8))
    consumer = broker.consumer("intake", 5)
    consumer.settle(take_one(consumer))
    consumer.flush()
    assert take_some(consumer)
    consumer.close()
    rest = take_all(lane.broker().consumer("intake", 5), 7)
    assert {each.count for each in rest} == {0}


def test_a_consumer_that_rests_holds_nothing_and_goes_on_later(lane: Lane, broker: Broker) -> None:
    broker.publish(messages(8))
    consumer = broker.consumer("intake", 5)
    consumer.settle(take_one(consumer))
    consumer.flush()
    for each in take_some(consumer):
        consumer.give_back(each)
    consumer.rest()
    eventually(lambda: depth(broker, "intake") == 7)
    other = lane.broker().consumer("intake", 5)
    taken = take_all(other, 6)
    assert {each.count for each in taken} == {0}
    other.close()
    assert len({each.message.id for each in (*taken, take_one(consumer))}) == 7


def test_a_worker_without_its_store_takes_nothing_and_goes_on_when_the_store_is_back(broker: Broker) -> None:
    broker.publish(messages(20))
    world, stop, seen = StoreIsAway(), threading.Event(), []

    def handle(message: Message) -> Outcome:
        world.ask()
        seen.append((message.id, message.attempt))
        return Emit()

    stage = Stage("parser", "intake", handle, lambda message: message)
    worker = Worker(stage, WorkerDependencies(broker, lambda *_: [], nullcontext, world.ask), prefetch=5)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        eventually(lambda: world.asked > 3 and depth(broker, "intake") == 20)
        world.away = False
        eventually(lambda: len(seen) >= 20)
    finally:
        stop.set()
        thread.join()
    assert sorted(seen) == sorted((each.id, 0) for each in messages(20))
    assert broker.in_flight() == 0


@dataclass
class StoreIsAway:
    """Until a test says otherwise."""

    away: bool = True
    asked: int = 0

    def ask(self) -> None:
        """As the worker's probe, and as any stage's handler."""
        self.asked += 1
        if self.away:
            raise Unavailable("the store does not answer")


def test_close_may_be_called_twice_and_takes_nothing_more(broker: Broker) -> None:
    consumer = broker.consumer("intake", 5)
    consumer.close()
    consumer.close()
    broker.publish([a_message()])
    assert take_one(broker.consumer("intake", 1)).message.id == "id-1"
    broker.close()
    broker.close()


def test_a_broker_that_was_never_used_can_be_closed(lane: Lane) -> None:
    lane.broker().close()


# -- looking on


def test_depths_name_every_queue_and_the_retries(broker: Broker) -> None:
    broker.publish([a_message(), a_message(2, "notifier")])
    shown = {each.name: each.ready for each in broker.depths()}
    assert shown == dict.fromkeys((*QUEUES.names, "parked", "retry"), 0) | {"intake": 1, "notifier": 1}


def test_in_flight_leaves_the_notifier_out(broker: Broker) -> None:
    broker.publish([a_message(), a_message(2, "filter"), a_message(3, "notifier")])
    assert broker.in_flight() == 2
    consumer = broker.consumer("filter", 1)
    held = take_one(consumer)
    assert broker.in_flight() == 2
    consumer.settle(held)
    consumer.flush()
    eventually(lambda: broker.in_flight() == 1)


def test_join_waits_for_quiet(broker: Broker) -> None:
    assert broker.join(PATIENCE_SECONDS)
    broker.publish([a_message()])
    assert not broker.join(0.3)
    consumer = broker.consumer("intake", 1)
    held = take_one(consumer)
    assert not broker.join(0.3)
    consumer.wait(held, 30)
    consumer.flush()
    assert not broker.join(0.01)
    consumer.settle(take_one(consumer))
    consumer.flush()
    assert broker.join(PATIENCE_SECONDS)
