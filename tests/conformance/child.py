"""What a worker's process does in a conformance test: `Lane.child` runs `main` in a process of its own.

Prints a line of JSON per step; several actions end by SIGKILL, as a crash would.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable

from shared.runtime.broker import Broker, Consumer, Delivery, Message
from tests.conformance.lanes import open_broker, take_some, take_within

POISON = b"poison"


def tell(*words: object) -> None:
    """One step, for the test to read."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def crash() -> None:
    """No handler, no goodbye."""
    os.kill(os.getpid(), signal.SIGKILL)


def hold(_: Broker, consumer: Consumer) -> None:
    """Take one batch and keep it until killed."""
    tell(*[each.message.id for each in take_some(consumer)])
    time.sleep(600)


def widen_and_hold(_: Broker, consumer: Consumer) -> None:
    """Settle a first delivery, then keep whatever comes until killed."""
    for each in take_some(consumer):
        consumer.settle(each)
    consumer.flush()
    tell(*[each.message.id for each in take_some(consumer)])
    time.sleep(600)


def take_and_crash(_: Broker, consumer: Consumer) -> None:
    """Die with the first delivery in hand."""
    tell(*[(each.message.id, each.count) for each in take_some(consumer)])
    crash()


def flush_and_crash(_: Broker, consumer: Consumer) -> None:
    """Settle one batch, flush, die."""
    for each in take_some(consumer):
        consumer.settle(each, [Message(f"{each.message.id}-next", "filter", each.message.body)])
    consumer.flush()
    crash()


def leave_one_and_crash(_: Broker, consumer: Consumer) -> None:
    """Settle a batch but for its first delivery, flush, die."""
    while len(batch := take_some(consumer)) < 2:
        consumer.settle(batch[0])
        consumer.flush()
    for each in batch[1:]:
        consumer.settle(each)
    consumer.flush()
    tell(*[each.message.id for each in batch])
    crash()


def die_of_poison(_: Broker, consumer: Consumer) -> None:
    """Work on; a body that says poison kills the process. Ends by itself when nothing more comes."""
    while batch := take_within(consumer, 3):
        for each in batch:
            work_or_die(consumer, each)
    consumer.flush()
    consumer.close()


def work_or_die(consumer: Consumer, delivery: Delivery) -> None:
    """One delivery."""
    if delivery.message.body == POISON:
        crash()
    consumer.settle(delivery, [Message(f"{delivery.message.id}-next", "filter", delivery.message.body)])


ACTIONS: dict[str, Callable[[Broker, Consumer], None]] = {
    action.__name__: action
    for action in (
        hold,
        widen_and_hold,
        take_and_crash,
        flush_and_crash,
        leave_one_and_crash,
        die_of_poison,
    )
}


def main(kind: str, place: str, action: str, queue: str, prefetch: str) -> None:
    """Run one action."""
    broker = open_broker(kind, place)
    broker.declare()
    ACTIONS[action](broker, broker.consumer(queue, int(prefetch)))
    broker.close()
