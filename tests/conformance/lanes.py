"""The broker adapters as the conformance suite sees them: a way to open a broker, here or in a child process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.queues import QUEUES
from shared.contracts.errors import PostroomError, Unavailable
from shared.runtime.broker import Broker, Consumer, Delivery, Message
from tests.harness.forked import Child
from tests.servers.rabbitmq_versions import VERSIONS

if TYPE_CHECKING:
    from tests.servers.rabbitmq import RabbitNodes

BROKERS = ("embedded", *(f"rabbitmq {version}" for version in VERSIONS))
"""The adapters, RabbitMQ's on each version: parameters for tests of what every broker does."""
TIER_SCALE = 0.04
"""A tier of 5 s is 0.2 s."""
PATIENCE = 120.0
"""Seconds for what is certain to happen: a machine may be busy."""
PATIENT: Mapping[str, Any] = {"confirm": 60.0, "connect": 20.0}
"""The `Timing` of RabbitMQ on such a machine, in seconds."""


def open_broker(kind: str, place: str, options: dict[str, Any] | None = None) -> Broker:
    """`place` is a folder or a URL. Imports are lazy: each adapter may exist without the other."""
    if kind == "embedded":
        from shared.embedded.broker import EmbeddedBroker

        return EmbeddedBroker(Path(place), QUEUES, tier_scale=TIER_SCALE, **(options or {}))
    from shared.rabbitmq.broker import RabbitBroker
    from shared.rabbitmq.session import Timing

    return RabbitBroker(place, QUEUES, tier_scale=TIER_SCALE, **{"timing": Timing(**PATIENT), **(options or {})})


@dataclass
class Lane:
    """One adapter on one fresh place."""

    kind: str
    place: str
    options: dict[str, Any] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def broker(self, **options: Any) -> Broker:
        """A broker as one process has it; closed at the end of the test."""
        broker = open_broker(self.kind, self.place, {**self.options, **options})
        self._stack.callback(broker.close)
        return broker

    def child(self, action: str, queue: str, prefetch: int = 1) -> Child:
        """A process that runs an action of `tests.conformance.child`; killed at the end of the test."""
        child = Child("tests.conformance.child", (self.kind, self.place, action, queue, str(prefetch)))
        self._stack.callback(child.end)
        return child

    def close(self) -> None:
        """End children, close brokers."""
        self._stack.close()


@contextmanager
def url_of(broker: str, nodes: RabbitNodes) -> Iterator[str | None]:
    """A fresh place on one of BROKERS: None is the embedded one's."""
    kind, _, version = broker.partition(" ")
    if kind == "embedded":
        yield None
        return
    node = nodes.node(version)
    with node.fresh_vhost() as vhost:
        yield node.url(vhost)


def a_message(number: int = 1, to: str = "intake", **changes: Any) -> Message:
    """A message as a stage would publish it."""
    fields = {
        "id": f"id-{number}",
        "body": b"body %d" % number,
        "type": "MailParsed",
        "correlation_id": f"mail-{number}",
    }
    return Message(to=to, **{**fields, **changes})


def messages(count: int, to: str = "intake", **changes: Any) -> list[Message]:
    """Several, with different ids and bodies."""
    return [a_message(number, to, **changes) for number in range(count)]


def eventually(happens: Callable[[], Any], timeout: float = PATIENCE) -> Any:
    """Poll until the answer is true, and return it."""
    deadline = time.monotonic() + timeout
    while not (answer := happens()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return answer


def fails(action: Callable[[], object], error: type[Exception] = PostroomError) -> Exception | None:
    """The error that the action raised, if it was one of these."""
    try:
        action()
    except error as raised:
        return raised
    return None


def until_it_fails(action: Callable[[], object], error: type[Exception] = PostroomError) -> str:
    """What the error said, once there was one."""
    return str(eventually(lambda: fails(action, error)))


def take_one(consumer: Consumer, timeout: float = PATIENCE) -> Delivery:
    """The next delivery, which must come alone."""
    batch = take_some(consumer, timeout)
    assert len(batch) == 1
    return batch[0]


def take_some(consumer: Consumer, timeout: float = PATIENCE) -> Sequence[Delivery]:
    """The next batch; the broker may be unavailable for a while."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            if batch := consumer.take(0.5):
                return batch
        except Unavailable:
            continue
    raise AssertionError("nothing was handed out in time")


def take_within(consumer: Consumer, seconds: float) -> Sequence[Delivery]:
    """What comes within this many seconds; the time that connecting takes is not among them."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return consumer.take(0) or consumer.take(seconds)
        except Unavailable:
            assert time.monotonic() < deadline, "the consumer does not connect"
            time.sleep(0.02)


def take_all(consumer: Consumer, count: int, timeout: float = PATIENCE) -> list[Delivery]:
    """Settle until `count` deliveries have come."""
    taken: list[Delivery] = []
    deadline = time.monotonic() + timeout
    while len(taken) < count:
        batch = take_some(consumer, deadline - time.monotonic())
        for each in batch:
            consumer.settle(each)
        taken += batch
    consumer.flush()
    return taken


def depth(broker: Broker, name: str) -> int:
    """Messages ready in one queue."""
    return next(each.ready for each in broker.depths() if each.name == name)


@contextmanager
def another_client(url: str) -> Iterator[Any]:
    """A channel to RabbitMQ of a client that is not ours."""
    import pika

    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        yield connection.channel()


def refuse_five_times(url: str, queue: str = "postroom.filter") -> None:
    """What five crashes do, quickly."""
    with another_client(url) as channel:
        for _ in range(5):
            method, _, _ = eventually(lambda: _got(channel, queue))
            channel.basic_reject(method.delivery_tag, requeue=True)  # RabbitMQ 4.3 does not count a nack


def _got(channel: Any, queue: str) -> Any:
    got = channel.basic_get(queue)
    return got if got[0] else None
