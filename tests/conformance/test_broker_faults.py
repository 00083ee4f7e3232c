"""RabbitMQ in trouble: crashed, frozen, full, cut off, misconfigured. What was confirmed is never lost."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.queues import QUEUES
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.rabbitmq import consumer as amqp_consumer
from shared.rabbitmq.broker import RabbitBroker
from shared.rabbitmq.session import Timing
from shared.runtime.broker import MAX_DELIVERIES, Message, Unroutable
from tests.conformance.lanes import (
    PATIENCE,
    PATIENT,
    Lane,
    a_message,
    depth,
    eventually,
    fails,
    messages,
    refuse_five_times,
    take_all,
    take_one,
    take_some,
    take_within,
    until_it_fails,
)
from tests.servers.presence import closed_port
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import RabbitNode

pytestmark = pytest.mark.every_rabbitmq
QUICK = Timing(confirm=2.0, connect=3.0)
"""For brokers that are meant to give up."""


@pytest.fixture
def hasty(lane: Lane, broker: RabbitBroker) -> RabbitBroker:
    """The same, with short patience."""
    assert broker
    hasty = lane.broker(timing=QUICK)
    assert isinstance(hasty, RabbitBroker)
    return hasty


@pytest.fixture
def proxy(rabbit_node: RabbitNode, tcp_proxy: Callable[[str, int], Proxy]) -> Proxy:
    """Between a broker and the node."""
    return tcp_proxy("127.0.0.1", rabbit_node.amqp_port)


@pytest.fixture
def proxied(rabbit_node: RabbitNode, rabbit_vhost: str, broker: RabbitBroker, proxy: Proxy) -> Iterator[Lane]:
    """The same vhost, through the proxy."""
    assert broker
    lane = Lane("rabbitmq", rabbit_node.url(rabbit_vhost, port=proxy.port))
    try:
        yield lane
    finally:
        lane.close()


def without_confirm(node: RabbitNode, vhost: str) -> int:
    """Deliveries that the broker waits to have acknowledged."""
    return int(sum(each.get("messages_unacknowledged", 0) for each in node.api("GET", f"queues/{vhost}")))


# -- queues and bindings that are gone (fault 9)


def test_a_deleted_queue_is_an_error_and_the_delivery_comes_back(
    rabbit_node: RabbitNode, rabbit_vhost: str, broker: RabbitBroker
) -> None:
    broker.publish([a_message()])
    consumer = broker.consumer("intake", 5)
    delivery = take_one(consumer)
    rabbit_node.delete_queue(rabbit_vhost, "postroom.filter")
    consumer.settle(delivery, [a_message(2, "filter")])
    with pytest.raises(Unroutable, match="filter"):
        consumer.flush()
    again = take_one(consumer)
    assert (again.message, again.count) == (a_message(), 0)
    consumer.settle(again, [a_message(2, "filter")])
    consumer.flush()
    assert take_one(broker.consumer("filter", 1)).message.id == "id-2"


def test_a_deleted_binding_is_an_error_for_the_publisher(
    rabbit_node: RabbitNode, rabbit_vhost: str, broker: RabbitBroker
) -> None:
    rabbit_node.api("DELETE", f"bindings/{rabbit_vhost}/e/postroom/q/postroom.intake/intake")
    with pytest.raises(Unroutable, match="intake"):
        broker.publish(messages(20))
    assert depth(broker, "intake") == 0
    broker.declare()
    broker.publish(messages(20))
    assert depth(broker, "intake") == 20


def test_a_return_is_an_error_though_others_of_the_batch_are_fine(broker: RabbitBroker) -> None:
    broker.publish(messages(3))
    consumer = broker.consumer("intake", 5)
    delivery = take_one(consumer)
    same_id = [a_message(7, "filter"), a_message(7, "nowhere"), a_message(7, "notifier")]
    consumer.settle(delivery, same_id)
    with pytest.raises(Unroutable, match="nowhere"):
        consumer.flush()
    assert {each.message.id for each in take_all(consumer, 3)} == {"id-0", "id-1", "id-2"}


def test_what_is_held_from_a_deleted_queue_is_still_finished(
    rabbit_node: RabbitNode, rabbit_vhost: str, broker: RabbitBroker
) -> None:
    broker.publish([a_message()])
    consumer = broker.consumer("intake", 1)
    delivery = take_one(consumer)
    rabbit_node.delete_queue(rabbit_vhost, "postroom.intake")
    consumer.settle(delivery, [a_message(2, "filter")])
    consumer.flush()
    assert take_one(broker.consumer("filter", 1)).message.id == "id-2"
    until_published(broker, [a_message(3)])
    assert take_one(consumer).message.id == "id-3"


def test_a_worker_that_may_only_verify_waits_for_its_queue(
    lane: Lane, rabbit_node: RabbitNode, rabbit_vhost: str
) -> None:
    careful = lane.broker(verify_only=True)
    with pytest.raises(Misconfigured, match=r"exchange postroom does not exist.*definitions\.json"):
        careful.declare()
    consumer = careful.consumer("filter", 1)
    assert "no queue 'postroom.filter' in vhost" in until_it_fails(lambda: consumer.take(0.3))
    assert not rabbit_node.api("GET", f"queues/{rabbit_vhost}")
    other = lane.broker()
    other.declare()
    careful.declare()
    other.publish([a_message(to="filter")])
    assert take_one(consumer).message.id == "id-1"


def test_a_queue_with_other_settings_is_named(lane: Lane, rabbit_node: RabbitNode, rabbit_vhost: str) -> None:
    rabbit_node.api("PUT", f"queues/{rabbit_vhost}/postroom.filter", {"durable": True})
    with pytest.raises(Misconfigured, match=r"queue postroom\.filter exists .* with other settings"):
        lane.broker().declare()


# -- dead letters that cannot be taken (fault 10)


def test_a_full_dead_letter_queue_keeps_the_original(
    rabbit_node: RabbitNode, rabbit_vhost: str, broker: RabbitBroker
) -> None:
    limit = {"pattern": "dead-letter", "definition": {"max-length": 1}, "apply-to": "queues"}
    rabbit_node.api("PUT", f"policies/{rabbit_vhost}/full", limit)
    broker.publish([a_message(to="filter", body=b"the original")])
    eventually(lambda: fails(lambda: broker.publish([a_message(9, "dead-letter")]), Unavailable))
    consumer = broker.consumer("filter", 1)
    consumer.bury(take_one(consumer), "no use", "filter")
    with pytest.raises(Unavailable, match="queue is full"):
        consumer.flush()
    original = take_one(consumer)
    assert (original.message.body, original.count) == (b"the original", 0)
    rabbit_node.api("DELETE", f"policies/{rabbit_vhost}/full")
    letters = broker.consumer("dead-letter", 1)
    take_all(letters, depth(broker, "dead-letter"))
    consumer.bury(original, "no use", "filter")
    consumer.flush()
    while take_all(letters, 1)[0].message.body != b"the original":
        continue  # the limit is soft: more fillers than the one may have been taken


def test_a_missing_dead_letter_queue_keeps_the_original(
    rabbit_node: RabbitNode, rabbit_vhost: str, broker: RabbitBroker
) -> None:
    rabbit_node.delete_queue(rabbit_vhost, "postroom.dead-letter")
    broker.publish([a_message(to="filter")])
    consumer = broker.consumer("filter", 1)
    consumer.bury(take_one(consumer), "no use", "filter")
    with pytest.raises(Unroutable, match="dead-letter"):
        consumer.flush()
    assert take_one(consumer).message == a_message(to="filter")


def test_poison_waits_for_a_missing_dead_letter_queue(
    lane: Lane, rabbit_node: RabbitNode, rabbit_vhost: str, broker: RabbitBroker
) -> None:
    """The broker offers it again from time to time (every second on the test's node, three minutes by default)."""
    rabbit_node.delete_queue(rabbit_vhost, "postroom.dead-letter")
    broker.publish([a_message(to="filter")])
    refuse_five_times(lane.place)
    broker.declare()
    letter = take_one(broker.consumer("dead-letter", 1)).message
    assert (letter.id, letter.headers["queue"]) == ("id-1", "filter")


def test_poison_among_the_dead_letters_is_parked(lane: Lane, broker: RabbitBroker) -> None:
    broker.publish([a_message(to="dead-letter")])
    refuse_five_times(lane.place, "postroom.dead-letter")
    eventually(lambda: depth(broker, "parked") == 1)


def test_poison_is_found_on_a_queue_that_was_declared_without_a_limit(
    lane: Lane, rabbit_node: RabbitNode, rabbit_vhost: str, broker: RabbitBroker
) -> None:
    """An operator's queue, where RabbitMQ 3 would go on for ever and RabbitMQ 4 up to 21 times."""
    rabbit_node.delete_queue(rabbit_vhost, "postroom.filter")
    arguments = {"x-queue-type": "quorum"}
    rabbit_node.api("PUT", f"queues/{rabbit_vhost}/postroom.filter", {"durable": True, "arguments": arguments})
    rabbit_node.api("POST", f"bindings/{rabbit_vhost}/e/postroom/q/postroom.filter", {"routing_key": "filter"})
    broker.publish([a_message(to="filter")])
    refuse_five_times(lane.place)
    assert not take_within(broker.consumer("filter", 1), 0.2)
    letter = take_one(broker.consumer("dead-letter", 1)).message
    assert (letter.id, letter.headers["queue"]) == ("id-1", "filter")
    assert letter.headers["reason"] == "handed out 5 times and never settled"


def test_poison_that_waited_in_a_tier_names_its_queue(lane: Lane, broker: RabbitBroker) -> None:
    """RabbitMQ's first death is the tier, not the queue in which the message killed its workers."""
    broker.publish([a_message(to="filter")])
    consumer = broker.consumer("filter", 1)
    consumer.redeliver(take_one(consumer), 5)
    consumer.close()
    eventually(lambda: depth(broker, "filter") == 1)
    refuse_five_times(lane.place)
    letter = take_one(broker.consumer("dead-letter", 1)).message
    assert letter.headers == {
        "attempt": 1,
        "queue": "filter",
        "stage": "filter",
        "reason": "handed out 5 times and never settled",
    }


def test_a_request_that_fails_midway_loses_no_connection_permanently(hasty: RabbitBroker) -> None:
    for _ in range(10):  # more often than there are connections
        with pytest.raises(ZeroDivisionError):
            hasty._publisher.ask(lambda _: 1 / 0)
    hasty.publish([a_message()])
    assert depth(hasty, "intake") == 1


# -- the broker is unavailable (faults 5, 6, 7, 8)


def test_a_restarted_broker_is_found_again(rabbit_node: RabbitNode, broker: RabbitBroker) -> None:
    broker.publish(messages(30))
    consumer = broker.consumer("intake", 5)
    for each in take_some(consumer):
        consumer.settle(each, [a_message(each_number(each.message), "filter")])
    consumer.flush()
    rabbit_node.evaluate("rabbit:stop()")
    until_it_fails(lambda: consumer.take(0.2), Unavailable)
    assert fails(lambda: broker.publish([a_message()]), Unavailable)
    rabbit_node.evaluate("rabbit:start()")
    rabbit_node.settle()
    taken = take_all(consumer, 29)
    assert len({each.message.id for each in taken}) == 29
    assert depth(broker, "filter") == 1


def each_number(message: Message) -> int:
    """The number that `messages` gave it."""
    return int(message.id.removeprefix("id-"))


def test_nothing_confirmed_is_lost_when_the_broker_is_killed(rabbit_node: RabbitNode, broker: RabbitBroker) -> None:
    broker.publish(messages(500))
    consumer = broker.consumer("intake", 20)
    done = take_all(consumer, 100)
    held = take_some(consumer)
    rabbit_node.kill9()
    try:
        text = until_it_fails(lambda: [consumer.settle(each) for each in held] and consumer.flush())
        assert "guest:guest" not in text
        until_it_fails(lambda: consumer.take(0.1), Unavailable)
        assert fails(lambda: broker.publish([a_message()]), Unavailable)
    finally:
        rabbit_node.start()
    first = take_some(consumer)
    for each in first:
        consumer.settle(each)
    missing = {each.id for each in messages(500)} - {each.message.id for each in [*done, *first]}
    while missing:
        for each in take_some(consumer):
            missing.discard(each.message.id)
            consumer.settle(each)
    consumer.flush()


@pytest.fixture
def quick_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds of closing together are below 10 s; shorter ones tell a busy machine from a hung one."""
    assert amqp_consumer.CLOSE_SECONDS + 2 * amqp_consumer.CLOSE_HANDSHAKE_SECONDS < 10
    monkeypatch.setattr(amqp_consumer, "CLOSE_SECONDS", 1.0)
    monkeypatch.setattr(amqp_consumer, "CLOSE_HANDSHAKE_SECONDS", 0.5)


@pytest.mark.usefixtures("quick_close")
def test_a_frozen_broker_confirms_nothing_and_every_publisher_gets_an_error(
    rabbit_node: RabbitNode, hasty: RabbitBroker
) -> None:
    until_published(hasty, messages(2))
    consumer = hasty.consumer("intake", 1)
    held = take_one(consumer)
    idle = hasty.consumer("filter", 1)
    assert not take_within(idle, 0.1)
    rabbit_node.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="confirmed nothing within 2 s"):
            hasty.publish([a_message(8)])
        consumer.settle(held, [a_message(9, "filter")])
        with pytest.raises(Unavailable):
            consumer.flush()
        with pytest.raises(Unavailable):
            hasty.publish([a_message(8)])
        for each in (consumer, idle):
            each.close()
        assert time.monotonic() - began < 60
    finally:
        rabbit_node.thaw()
    again = hasty.consumer("intake", 1)
    seen = {take_all(again, 1)[0].message.id}
    while not {"id-0", "id-1"} <= seen:  # the broker may notice only now that the first connection is gone
        seen.add(take_all(again, 1)[0].message.id)


@pytest.mark.usefixtures("quick_close")
def test_close_ends_in_time_though_the_broker_is_frozen(rabbit_node: RabbitNode, lane: Lane) -> None:
    patient = lane.broker()
    patient.declare()
    others = [patient.consumer("notifier", 1) for _ in range(3)]
    patient.publish(messages(3))
    consumer = patient.consumer("intake", 5)
    held = take_one(consumer)
    rabbit_node.freeze()
    try:
        consumer.settle(held, [a_message(9, "filter")])
        began = time.monotonic()
        patient.close()
        assert time.monotonic() - began < 10
        assert all(each.closed for each in others)
    finally:
        rabbit_node.thaw()
    assert len(take_all(lane.broker().consumer("intake", 1), 3)) == 3


def test_a_disk_alarm_makes_publishers_wait_and_consumers_stop(rabbit_node: RabbitNode, lane: Lane) -> None:
    broker = lane.broker(timing=Timing(confirm=5.0, connect=20.0))
    broker.declare()
    until_published(broker, messages(3))
    consumer = broker.consumer("intake", 1)
    held = take_one(consumer)
    rabbit_node.limit_free_disk("900000GB")
    try:
        said = until_it_fails(lambda: broker.publish([a_message(8)]), Unavailable)
        assert "takes no messages now" in said
        with pytest.raises(Unavailable, match=r"takes no messages now: .*short of memory or disk space"):
            broker.ping()
        consumer.settle(held, [a_message(9, "filter")])
        assert "takes no messages now" in until_it_fails(lambda: consumer.take(0.2), Unavailable)
        with pytest.raises(Unavailable):
            consumer.flush()
    finally:
        rabbit_node.limit_free_disk("1MB")
    eventually(lambda: fails(consumer.flush) is None)
    eventually(lambda: fails(broker.ping) is None)
    assert depth(broker, "filter") >= 1
    assert {each.message.id for each in take_all(consumer, 2)} <= {"id-0", "id-1", "id-2"}
    until_published(broker, [a_message(8)])


@pytest.mark.usefixtures("quick_close")
def test_a_consumer_can_stop_during_an_alarm(rabbit_node: RabbitNode, broker: RabbitBroker) -> None:
    broker.publish(messages(2))
    consumer = broker.consumer("intake", 1)
    held = take_one(consumer)
    rabbit_node.limit_free_disk("900000GB")
    try:
        consumer.settle(held, [a_message(9, "filter")])
        until_it_fails(lambda: consumer.take(0.2), Unavailable)
        began = time.monotonic()
        consumer.close()
        assert time.monotonic() - began < 10
    finally:
        rabbit_node.limit_free_disk("1MB")


# -- the network (faults 13, 14, 15, 16)


def test_a_lost_confirm_is_an_error_and_publishing_again_repeats_the_id(
    broker: RabbitBroker, proxied: Lane, proxy: Proxy
) -> None:
    far = proxied.broker(timing=QUICK)
    until_published(far, [a_message(1)])
    proxy.swallow_down = True
    with pytest.raises(Unavailable, match="confirmed nothing within 2 s"):
        far.publish([a_message(2)])
    proxy.swallow_down = False
    until_published(far, [a_message(2)])
    consumer, ids = broker.consumer("intake", 10), list[str]()
    while not {"id-1"} < set(ids) or ids.count("id-2") < 2:
        ids += [each.message.id for each in take_all(consumer, 1)]


def test_nothing_is_acknowledged_before_its_confirm(
    rabbit_node: RabbitNode, rabbit_vhost: str, broker: RabbitBroker, proxied: Lane, proxy: Proxy
) -> None:
    broker.publish([a_message()])
    consumer = proxied.broker(timing=Timing(heartbeat=60, **PATIENT)).consumer("intake", 1)
    delivery = take_one(consumer)
    proxy.swallow_down = True
    consumer.settle(delivery, [a_message(2, "filter")])
    eventually(lambda: depth(broker, "filter") == 1)
    eventually(lambda: without_confirm(rabbit_node, rabbit_vhost) == 1)
    proxy.cut()
    proxy.swallow_down = False
    again = take_one(broker.consumer("intake", 1))
    assert (again.message, again.count) == (a_message(), 1)


def test_a_consumer_that_is_paused_during_an_outage_of_the_broker_holds_nothing_afterwards(
    broker: RabbitBroker, proxied: Lane, proxy: Proxy
) -> None:
    consumer = proxied.broker(timing=QUICK).consumer("intake", 5)
    take_within(consumer, 1)
    proxy.refuse = True
    proxy.cut()
    eventually(lambda: fails(lambda: consumer.take(0)))
    consumer.rest()
    proxy.refuse = False
    broker.publish([a_message()])
    time.sleep(amqp_consumer.RECONNECT_MAX_SECONDS + 1)  # by then it would have connected
    assert [each.consumers for each in broker.depths() if each.name == "intake"] == [0]
    consumer.close()
    assert take_one(broker.consumer("intake", 1)).count == 0
    (intake,) = [each for each in broker.depths() if each.name == "intake"]
    assert intake.ready == 0, "a copy was left by the consumer that closed"


def test_a_confirm_that_does_not_come_ends_the_connection(broker: RabbitBroker, proxied: Lane, proxy: Proxy) -> None:
    broker.publish([a_message()])
    consumer = proxied.broker(timing=QUICK).consumer("intake", 1)
    delivery = take_one(consumer)
    proxy.swallow_down = True
    consumer.settle(delivery, [a_message(2, "filter")])
    eventually(lambda: "no confirm within 2 s" in str(fails(consumer.flush)))
    proxy.swallow_down = False
    again = take_one(consumer)
    assert (again.message.id, again.count) == ("id-1", 1)
    with pytest.raises(Unavailable, match="lost"):
        consumer.settle(delivery)
    consumer.give_back(delivery)
    consumer.settle(again)
    consumer.flush()


def test_reset_connections_lose_nothing(broker: RabbitBroker, proxied: Lane, proxy: Proxy) -> None:
    far = proxied.broker()
    consumer = far.consumer("intake", 10)
    for number in range(4):  # a fifth time in the same hands would make a poison of it
        until_published(far, messages(40)[number * 10 : number * 10 + 10])
        for each in take_some(consumer):
            fails(lambda each=each: consumer.settle(each, [a_message(each_number(each.message), "filter")]))
        proxy.cut()
    hop_until(broker, consumer, {each.id for each in messages(40)})


def until_published(broker: RabbitBroker, batch: list[Message]) -> None:
    """Again after a failure, as a publisher does."""
    eventually(lambda: fails(lambda: broker.publish(batch)) is None)


def hop_until(broker: RabbitBroker, consumer: Any, wanted: set[str]) -> None:
    """Move everything from intake to filter; repeats are allowed, gaps are not."""
    arrived: set[str] = set()
    target = broker.consumer("filter", 50)
    deadline = time.monotonic() + 2 * PATIENCE
    while arrived != wanted:
        assert time.monotonic() < deadline, f"lost: {wanted - arrived}"
        fails(lambda: hop_some(consumer))
        for each in take_within(target, 0.05):
            arrived.add(each.message.id)
            target.settle(each)


def hop_some(consumer: Any) -> None:
    """One batch."""
    for each in consumer.take(0.05):
        consumer.settle(each, [a_message(each_number(each.message), "filter")])


def test_a_silent_partition_is_noticed_within_two_heartbeats(broker: RabbitBroker, proxied: Lane, proxy: Proxy) -> None:
    consumer = proxied.broker(timing=Timing(heartbeat=1, **PATIENT)).consumer("intake", 1)
    broker.publish([a_message(0)])
    consumer.settle(take_one(consumer))  # it is connected
    proxy.swallow()
    began = time.monotonic()
    text = until_it_fails(lambda: consumer.take(0.1), Unavailable)
    assert time.monotonic() - began < 2 * 10
    assert "silent" in text or "does not answer in time" in text
    proxy.swallow(on=False)
    broker.publish([a_message()])
    assert take_one(consumer).message.id == "id-1"


def test_a_broker_that_says_nothing_while_one_connects_does_not_answer(
    broker: RabbitBroker, proxied: Lane, proxy: Proxy
) -> None:
    proxy.swallow()
    consumer = proxied.broker(timing=Timing(confirm=60.0, connect=0.5)).consumer("intake", 1)
    assert "does not answer in time" in until_it_fails(lambda: consumer.take(0.1), Unavailable)
    proxy.swallow(on=False)
    broker.publish([a_message()])
    assert take_one(consumer).message.id == "id-1"


@pytest.mark.parametrize(("chunk", "delay"), [(7, 0.0), (4096, 0.003)], ids=["split packets", "slow link"])
def test_a_bad_link_changes_nothing(proxied: Lane, proxy: Proxy, chunk: int, delay: float) -> None:
    proxy.chunk, proxy.delay = chunk, delay
    far = proxied.broker(timing=Timing(**PATIENT))
    sent = messages(20, body=b"x" * 3000)
    far.publish(sent)
    consumer = far.consumer("intake", 10)
    taken = take_all(consumer, 20)
    assert sorted(each.message.id for each in taken) == sorted(each.id for each in sent)
    assert {each.message.body for each in taken} == {b"x" * 3000}
    assert {each.count for each in taken} == {0}


# -- slow handlers, long queues (faults 21, 22, 23)


def test_a_handler_may_take_longer_than_the_heartbeat(lane: Lane, broker: RabbitBroker) -> None:
    broker.publish([a_message()])
    consumer = lane.broker(timing=Timing(heartbeat=2, **PATIENT)).consumer("intake", 1)
    delivery = take_one(consumer)
    time.sleep(6)
    consumer.settle(delivery, [a_message(2, "filter")])
    consumer.flush()
    assert take_one(broker.consumer("filter", 1)).message.id == "id-2"
    assert not take_within(consumer, 0.2)


def test_a_handler_slower_than_the_consumer_time_out_ends_among_the_dead_letters(
    rabbit_node: RabbitNode, broker: RabbitBroker
) -> None:
    set_consumer_timeout(rabbit_node, "500")
    try:
        broker.publish([a_message()])
        consumer, letters = broker.consumer("intake", 1), broker.consumer("dead-letter", 1)
        counts: list[int] = []
        while not (letter := take_within(letters, 0.05)):
            counts += [each.count for each in take_within(consumer, 0.05)]
        assert letter[0].message.headers["queue"] == "intake"
        assert counts[0] == 0
        assert counts == sorted(set(counts))  # one may time out before it is taken
        assert counts[-1] < MAX_DELIVERIES
    finally:
        set_consumer_timeout(rabbit_node, "1800000")


def set_consumer_timeout(node: RabbitNode, milliseconds: str) -> None:
    """For channels opened from now on, looked at each half second."""
    settings = {"consumer_timeout": milliseconds, "channel_tick_interval": "250" if milliseconds == "500" else "60000"}
    for name, value in settings.items():
        node.evaluate(f"application:set_env(rabbit, {name}, {value})")


def test_a_long_queue_is_not_taken_into_memory(broker: RabbitBroker) -> None:
    broker.publish(messages(3000))
    consumer = broker.consumer("intake", 50)
    consumer.settle(take_one(consumer))
    consumer.flush()
    for _ in range(20):
        for each in take_some(consumer):
            consumer.settle(each)
        assert consumer.held <= 50
    assert depth(broker, "intake") > 1000


def test_redelivered_messages_that_reach_a_busy_worker_do_not_sit_in_its_hands_together(
    lane: Lane, broker: RabbitBroker
) -> None:
    """A worker with a wide prefetch gets the messages that a dead one held: it keeps one, the others go back."""
    broker.publish(messages(20))
    child = lane.child("widen_and_hold", "intake", 12)
    child.report()
    eventually(lambda: depth(broker, "intake") <= 8)
    consumer = broker.consumer("intake", 12)
    for each in take_some(consumer):
        consumer.settle(each)
    consumer.flush()
    child.kill()
    seen = []
    while len(seen) < 18:
        batch = take_some(consumer)
        seen += batch
        if any(each.count for each in batch):
            assert len(batch) == 1
            assert consumer.held == 1
        for each in batch:
            consumer.settle(each)
        consumer.flush()
    assert sum(bool(each.count) for each in seen) >= 11


# -- wrong settings


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that refuses connections."""
    with closed_port() as port:
        yield port


@pytest.fixture
def all_logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that any library logs."""
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        ({"password": "s3cr3t-wrong"}, Misconfigured, r"at 127\.0\.0\.1:\d+ refuses the user 'guest'"),
        ({"vhost": "nosuch"}, Misconfigured, r"at 127\.0\.0\.1:\d+ has no virtual host 'nosuch'"),
        ({"port": "free"}, Unavailable, r"nothing listens at 127\.0\.0\.1:\d+"),
        ({"host": "no-such-host.invalid"}, Unavailable, r"RabbitMQ at no-such-host\.invalid:\d+"),
    ],
    ids=["password", "vhost", "port", "host"],
)
def test_wrong_settings_give_one_clear_sentence(
    rabbit_node: RabbitNode,
    nobody: int,
    all_logs: pytest.LogCaptureFixture,
    change: dict[str, str],
    kind: type[PostroomError],
    sentence: str,
) -> None:
    port = nobody if "port" in change else rabbit_node.amqp_port
    place = f"{change.get('host', '127.0.0.1')}:{port}/{change.get('vhost', '')}"
    broker = RabbitBroker(f"amqp://guest:{change.get('password', 'guest')}@{place}", QUEUES, timing=Timing(**PATIENT))
    try:
        with pytest.raises(kind, match=sentence):
            broker.publish([a_message()])
        consumer = broker.consumer("intake", 1)
        error = eventually(lambda: fails(lambda: consumer.take(0.2)))
        assert isinstance(error, kind)
        assert re.search(sentence, str(error))
    finally:
        broker.close()
    assert "s3cr3t" not in all_logs.text


@pytest.mark.parametrize("url", ["", "localhost", "http://localhost", "amqp://host:port/"])
def test_an_invalid_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Misconfigured, match="must look like amqp://"):
        RabbitBroker(url, QUEUES)


def test_too_large_a_message_is_refused_at_the_producer(broker: RabbitBroker) -> None:
    from shared.rabbitmq.broker import MAX_MESSAGE_BYTES

    big = a_message(2, "filter", body=bytes(MAX_MESSAGE_BYTES + 1))
    with pytest.raises(PostroomError, match=r"message_size.*16777217 bytes"):
        broker.publish([big])
    broker.publish([a_message()])
    consumer = broker.consumer("intake", 1)
    delivery = take_one(consumer)
    with pytest.raises(PostroomError, match="message_size"):
        consumer.settle(delivery, [big])
    consumer.settle(delivery)
    consumer.flush()
