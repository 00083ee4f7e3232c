"""The RabbitMQ topology: one table of exchanges, queues and bindings.

Everything is read from `topology()`: what workers declare, what they verify when they may not declare, and
`deploy/rabbitmq/definitions.json`, which `python -m services.definitions` prints. Separate, because
the table is the contract with operators and integrators. Needs RabbitMQ 3.10 or newer: quorum queues with
at-least-once dead-lettering.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import amqp
import kombu
from kombu.transport.base import StdChannel

from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import DEAD_LETTER, MAX_DELIVERIES, PARKED, RETRY, TIERS, WorkQueues

PREFIX = "postroom"
Arguments = Mapping[str, str | int]
_UNLIMITED = 1_000_000
"""For queues that people only look into: RabbitMQ 4 would drop a message after 20 looks with requeue."""
_NOT_FOUND, _PRECONDITION_FAILED = 404, 406


@dataclass(frozen=True, slots=True)
class Queue:
    """One durable quorum queue, bound to `exchange` with the topic `binding`."""

    name: str
    exchange: str
    binding: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Topology:
    """All names. `tiers` maps the seconds of a retry tier to its exchange; `work_keys` are those of `WorkQueues`."""

    work: str
    events: str
    work_keys: tuple[str, ...]
    tiers: Mapping[int, str]
    queues: Sequence[Queue]

    @property
    def exchanges(self) -> Sequence[str]:
        """Every topic exchange."""
        return (self.work, self.events, *self.tiers.values())

    def queue_of(self, key: str) -> str:
        """The queue of a routing key."""
        return f"{self.work}.{key}"

    def key_of(self, queue: str) -> str | None:
        """The routing key of one of our queues (tiers included), or None."""
        head, dot, key = queue.partition(f"{self.work}.")
        return key if dot and not head else None


def topology(work: WorkQueues, prefix: str = PREFIX, tier_scale: float = 1.0) -> Topology:
    """The whole table. `tier_scale` shortens the tiers of a test; their names keep the seconds."""
    tiers = {seconds: f"{prefix}.{RETRY}.{seconds}" for seconds in TIERS}
    queues = [_work_queue(prefix, key) for key in work.names]
    queues.append(_parked_queue(prefix))
    queues += [_tier_queue(prefix, name, seconds * tier_scale) for seconds, name in tiers.items()]
    return Topology(prefix, f"{prefix}.events", work.names, MappingProxyType(tiers), tuple(queues))


def _work_queue(prefix: str, key: str) -> Queue:
    """A work queue. Poison messages go to the dead letters; those of the dead-letter queue are parked."""
    poison_to = PARKED if key == DEAD_LETTER else DEAD_LETTER
    limits = {"x-delivery-limit": MAX_DELIVERIES - 1}  # counted from the second hand-out on
    return Queue(f"{prefix}.{key}", prefix, key, _quorum(**limits, **_dead_letters(prefix, poison_to)))


def _parked_queue(prefix: str) -> Queue:
    return Queue(f"{prefix}.{PARKED}", prefix, PARKED, _quorum(**{"x-delivery-limit": _UNLIMITED}))


def _tier_queue(prefix: str, name: str, seconds: float) -> Queue:
    """Takes any routing key, and gives the message back to the work exchange under the same key."""
    expiry = {"x-message-ttl": max(1, round(seconds * 1000)), "x-delivery-limit": _UNLIMITED}
    return Queue(name, name, "#", _quorum(**expiry, **_dead_letters(prefix)))


def _quorum(**arguments: str | int) -> Arguments:
    return MappingProxyType({"x-queue-type": "quorum", **arguments})


def _dead_letters(exchange: str, key: str | None = None) -> dict[str, str | int]:
    """At-least-once needs reject-publish; the original stays until the target has confirmed its copy."""
    arguments: dict[str, str | int] = {
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return arguments if key is None else {**arguments, "x-dead-letter-routing-key": key}


def declare(channel: StdChannel, table: Topology) -> None:
    """Make everything exist. Raises Misconfigured when something exists with other arguments."""
    for name in table.exchanges:
        _declare_exchange(channel, name)
    for queue in table.queues:
        _declare_queue(channel, queue)


def _declare_exchange(channel: StdChannel, name: str) -> None:
    try:
        kombu.Exchange(name, type="topic", durable=True, channel=channel).declare()
    except amqp.PreconditionFailed as error:
        raise Misconfigured(_differs("exchange", name)) from error


def _declare_queue(channel: StdChannel, queue: Queue) -> None:
    try:
        _kombu_queue(channel, queue).declare()
    except amqp.PreconditionFailed as error:
        raise Misconfigured(_differs("queue", queue.name)) from error


def _kombu_queue(channel: StdChannel, queue: Queue) -> kombu.Queue:
    exchange = kombu.Exchange(queue.exchange, type="topic", durable=True, no_declare=True)
    return kombu.Queue(
        queue.name,
        exchange,
        queue.binding,
        channel=channel,
        durable=True,
        queue_arguments=dict(queue.arguments),
    )


def _differs(kind: str, name: str) -> str:
    return (
        f"the {kind} {name} exists on RabbitMQ with other settings than Postroom's: empty and delete it, or import "
        "deploy/rabbitmq/definitions.json"
    )


def verify(channel: StdChannel, table: Topology) -> None:
    """Everything exists already, or Misconfigured. A passive declare sees neither arguments nor bindings."""
    for name in table.exchanges:
        _must_exist("exchange", name, lambda name=name: channel.exchange_declare(name, "topic", passive=True))
    for queue in table.queues:
        _must_exist("queue", queue.name, lambda name=queue.name: channel.queue_declare(name, passive=True))


def _must_exist(kind: str, name: str, ask: object) -> None:
    try:
        ask()  # type: ignore[operator]
    except amqp.NotFound as error:
        message = f"the {kind} {name} does not exist on RabbitMQ: import deploy/rabbitmq/definitions.json"
        raise Misconfigured(message) from error


def definitions(table: Topology, vhost: str = "/") -> dict[str, object]:
    """The table in the form that `rabbitmqctl import_definitions` reads. Users are not in it."""
    return {
        "vhosts": [{"name": vhost}],
        "exchanges": [
            {"name": name, "vhost": vhost, "type": "topic", "durable": True, "auto_delete": False, "arguments": {}}
            for name in table.exchanges
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": {**queue.arguments},
            }
            for queue in table.queues
        ],
        "bindings": [
            {
                "source": queue.exchange,
                "vhost": vhost,
                "destination": queue.name,
                "destination_type": "queue",
                "routing_key": queue.binding,
                "arguments": {},
            }
            for queue in table.queues
        ],
    }
