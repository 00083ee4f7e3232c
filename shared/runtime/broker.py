"""The Broker port: what a stage's worker and a publisher need of a message broker.

Two adapters keep its promises: `shared.rabbitmq.broker` (RabbitMQ) and `shared.embedded.broker` (a local
file). One conformance suite runs on both. The promises:

- `publish` returns after the broker has taken responsibility for every message; a message that no queue
  takes is an error (`Unroutable`), never a silent loss.
- A delivery leaves its queue only after everything it caused is confirmed.
- A delivery that is never settled (kill -9, lost connection) comes back; after `MAX_DELIVERIES` of them
  it goes to the dead letters.
- `redeliver` counts an attempt, `give_back` and `wait` do not.
- A message that was handed out twice before is handed out alone, so that a poison message affects no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Protocol

from shared.contracts.errors import PostroomError
from shared.lazy_dataclass import dataclass

INTAKE = "intake"
DEAD_LETTER = "dead-letter"
PARKED = "parked"
RETRY = "retry"
"""The name under which the retry tiers are shown together."""
TIERS = (5, 30, 300)
"""Seconds that the retry tiers hold a message back."""
MAX_DELIVERIES = 5
"""A message that was handed out so often and never settled is a poison message: it becomes a dead letter."""
POISONED = f"handed out {MAX_DELIVERIES} times and never settled"
"""The reason of that dead letter."""
JSON = "application/json"
RFC822 = "message/rfc822"
CONTENT_ENCODING = "content-encoding"
"""Header in which a message keeps that property of AMQP; Postroom sets none itself."""
REFERENCE = "application/vnd.postroom.mail-reference+json"
"""Content type of an intake message whose raw mail was stored first and travels as a blob id."""

Headers = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class WorkQueues:
    """The work queues, by routing key on the work exchange; `intake` and `dead-letter` are among them.

    A broker is given them when it is made. `not_in_flight`: those whose messages `in_flight` does not count.
    """

    names: tuple[str, ...]
    not_in_flight: frozenset[str] = frozenset()


class Unroutable(PostroomError):
    """No queue takes a message with this routing key: the topology is incomplete."""


class Carried(Protocol):
    """What a message between two stages of one process carries until it has to be bytes."""

    @property
    def event(self) -> object:
        """The event itself."""

    def body(self) -> tuple[bytes, str]:
        """The event as bytes, and their content type."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `to` is a work queue, or an event name on the events exchange.

    `id` is derived from its cause, so that publishing it again publishes the same id. Headers carry
    `attempt` (int, failed attempts so far), `cause`, `version`, `inbox`, `traceparent`, ...
    `carried` is only set within a process, and `body` is empty then: see `packed`.
    """

    id: str
    to: str
    body: bytes
    type: str = ""
    content_type: str = JSON
    correlation_id: str = ""
    headers: Headers = field(default_factory=dict)
    carried: Carried | None = field(default=None, compare=False, repr=False)

    def packed(self) -> Message:
        """The same message with its event as bytes, as it is kept and sent."""
        if self.carried is None:
            return self
        body, content_type = self.carried.body()
        return Message(self.id, self.to, body, self.type, content_type, self.correlation_id, self.headers)

    @property
    def attempt(self) -> int:
        """Failed attempts so far; a header that is not a number counts as none."""
        value = self.headers.get("attempt", 0)
        return value if isinstance(value, int) and value >= 0 else 0

    def with_headers(self, **changes: str | int) -> Message:
        """The same message with some headers replaced."""
        return replace(self, headers={**self.headers, **changes})


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message handed out, to be settled once. `count` is how often it was handed out before."""

    message: Message
    queue: str
    count: int
    tag: object = field(compare=False)


@dataclass(frozen=True, slots=True)
class Depth:
    """One queue as the operator sees it. `oldest_seconds` and `unacked` are None when not known.

    `next_seconds`: when the first of the delayed messages is due; None when not known, or when none is delayed.
    """

    name: str
    ready: int
    unacked: int | None
    consumers: int | None
    oldest_seconds: float | None = None
    next_seconds: float | None = None


class Consumer(Protocol):
    """One worker's side of one queue. Not shared between threads, except `stop`."""

    def take(self, timeout: float) -> Sequence[Delivery]:
        """Up to `prefetch` deliveries; empty after `timeout` seconds. Starts with one and widens.

        Raises `Unavailable` when the broker does not answer; call again later, the consumer reconnects.
        """

    def settle(self, delivery: Delivery, then: Sequence[Message] = ()) -> None:
        """Publish `then`, and acknowledge the delivery once all of them are confirmed. Does not block.

        When a confirm fails, the delivery is not acknowledged and comes back.
        """

    def redeliver(self, delivery: Delivery, seconds: int) -> None:
        """Hand it out again after the tier of `seconds`, with one more attempt counted."""

    def wait(self, delivery: Delivery, seconds: int) -> None:
        """Hand it out again after the tier of `seconds`; no attempt is counted."""

    def give_back(self, delivery: Delivery) -> None:
        """Return it to its queue at once; no attempt is counted."""

    def bury(self, delivery: Delivery, reason: str, stage: str) -> None:
        """Publish the original message to the dead letters with headers `reason`, `stage`, `queue`."""

    def flush(self) -> None:
        """Wait until everything settled so far is durable, or raise `Unavailable`."""

    def rest(self) -> None:
        """Hold nothing that was not handed out yet until the next `take`: a dependency is unavailable, or an operator
        paused the stage. Safe to call again; a broker that takes no messages now can be given nothing back.

        A broker counts a failed delivery for messages that are held for too long.
        """

    def close(self) -> None:
        """Stop taking, flush, and leave what is still held to others. Safe to call twice."""


class Broker(Protocol):
    """The whole broker, as seen by one process."""

    def declare(self) -> None:
        """Make queues and exchanges exist (or verify that they do). Idempotent."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish to the work exchange; returns when all are confirmed.

        Raises `Unavailable` (nothing is known about the unconfirmed ones: publish again, ids are stable)
        or `Unroutable`.
        """

    def announce(self, messages: Sequence[Message]) -> None:
        """Publish to the events exchange for integrators. Best effort: there may be no listener."""

    def ping(self) -> None:
        """Raises `Unavailable` while it does not answer, or takes no messages."""

    def consumer(self, queue: str, prefetch: int) -> Consumer:
        """A consumer of one work queue."""

    def depths(self) -> Sequence[Depth]:
        """Every work queue, the retry tiers summed as `retry`, and `parked`."""

    def in_flight(self) -> int:
        """Messages in work queues, retry tiers and unacknowledged, without the queues that are `not_in_flight`."""

    def join(self, timeout: float) -> bool:
        """Wait for quiet: all work queues and tiers empty, nothing unacknowledged. For tests and --once."""

    def close(self) -> None:
        """Release connections. Safe to call twice."""
