"""One connection of one consumer: consume, publish, confirm, acknowledge. Runs on the I/O thread.

Reads deliveries and the worker's decisions; emits publishes and acknowledgements, and calls its owner
(`RabbitConsumer`). Separate, because nothing here is shared between threads: other threads pass their
requests through `wake`.

A delivery is acknowledged after every confirm of what it caused. An explicit "no" of the broker (no queue,
queue full) leaves the connection healthy, so the delivery is requeued later through the shortest tier and nothing is
counted. When the broker does not answer, the connection is dropped, and the broker hands everything out again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from enum import Enum
from typing import Any, Protocol

from pika import exceptions as pika_errors
from pika import spec
from pika.channel import Channel

from shared.contracts.errors import PostroomError, Unavailable
from shared.lazy_dataclass import dataclass
from shared.rabbitmq import frames, wire
from shared.rabbitmq.confirms import Confirms, PublishVerdict
from shared.rabbitmq.endpoint import Endpoint
from shared.rabbitmq.link import Link
from shared.rabbitmq.topology import Topology
from shared.runtime.broker import (
    CONTENT_ENCODING,
    DEAD_LETTER,
    MAX_DELIVERIES,
    PARKED,
    POISONED,
    TIERS,
    Delivery,
    Message,
    Unroutable,
)
from shared.runtime.crash_points import crash_point

log = logging.getLogger(__name__)

LARGE_BODY_BYTES = 1 << 20
"""A body of more bytes is taken with prefetch 1: the broker's prefetch counts messages, not bytes."""
_NOT_FOUND = 404


class QueueMissing(Unavailable):
    """The queue to consume does not exist."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Time limits of a session, in seconds."""

    heartbeat: int = 15
    connect: float = 5.0
    confirm: float = 10.0
    tick: float = 0.5


@dataclass(frozen=True, slots=True)
class Tag:
    """Names a delivery: which connection of the consumer, and the broker's number on it."""

    connection_generation: int
    number: int


@dataclass(frozen=True, slots=True)
class Post:
    """One message as it is published. `exchange` None is the work exchange."""

    message: Message
    exchange: str | None = None
    handed_out: int = 0


@dataclass(slots=True)
class PendingSettlement:
    """A delivery that was decided: acknowledged when all `posts` are confirmed."""

    delivery: Delivery
    number: int
    posts: Sequence[Post] = ()
    waiting: int = 0
    trouble: tuple[Post, PublishVerdict] | None = None
    last_resort: bool = False


class Owner(Protocol):
    """The callbacks of a session, called on the I/O thread."""

    def opened(self) -> None:
        """Connected and consuming; deliveries follow."""

    def arrived(self, deliveries: Sequence[Delivery]) -> None:
        """Deliveries to hand out."""

    def late_deliveries(self, *, may_come: bool) -> None:
        """Whether deliveries of a consumer that was cancelled may still come."""

    def finished(self, numbers: Iterable[int]) -> None:
        """These deliveries were acknowledged."""

    def failed(self, error: PostroomError) -> None:
        """The broker refused a publish of a settled delivery, which comes back."""

    def blocked(self, reason: str) -> None:
        """The broker takes no publishes (memory or disk alarm); empty when it takes them again."""

    def synced(self) -> None:
        """The broker has read everything that was sent before `sync`."""

    def outbox(self) -> Sequence[PendingSettlement]:
        """Deliveries that the worker settled since the last call."""


class _Mode(Enum):
    OPENING = "opening"
    NARROW = "one delivery at a time"
    WIDE = "prefetch"
    EMPTYING = "consumer cancelled, what is held goes first"
    RETIRING = "not consuming; the connection ends when what is held has left"
    STOPPING = "cancelled permanently"


@dataclass(slots=True)
class Session:
    """Use `open`, then `run`, on one thread; `wake`, `stop_consuming`, `end` and `drop` from any."""

    endpoint: Endpoint
    names: Topology
    key: str
    prefetch: int
    timing: Timing
    owner: Owner
    connection_generation: int
    _mode: _Mode = _Mode.OPENING
    _error: BaseException | None = None
    _link: Link = field(init=False)
    _channel: Channel = field(init=False)
    _confirms: Confirms[tuple[PendingSettlement, Post]] = field(default_factory=Confirms)
    _unacked: dict[int, None] = field(default_factory=dict)
    _consumer_tag: str = ""
    _counter: str = ""
    _blocked: str = ""
    _retired: PostroomError | None = None
    _cancelling: bool = False
    _ended: bool = False
    _received: tuple[int, int] = (0, 0)
    _arrived: list[Delivery] = field(default_factory=list)
    _confirmed: list[PendingSettlement] = field(default_factory=list)

    # -- from any thread, while the session is running

    def wake(self) -> None:
        """Fetch the outbox soon."""
        self._link.ioloop.add_callback_threadsafe(self._drain)

    def sync(self) -> None:
        """Tell the owner when the broker has read everything sent so far; acknowledgements have no answer."""
        self._link.ioloop.add_callback_threadsafe(self._sync)

    def retire(self, reason: PostroomError) -> None:
        """Take no further deliveries, and end when what was settled has left."""
        self._link.ioloop.add_callback_threadsafe(lambda: self._retire(reason))

    def stop_consuming(self) -> None:
        """Take no further deliveries."""
        self._link.ioloop.add_callback_threadsafe(self._stop_consuming)

    def end(self) -> None:
        """Close the connection in order."""
        self._link.ioloop.add_callback_threadsafe(self._end)

    def drop(self, reason: str) -> None:
        """Close the connection at once."""
        self._link.ioloop.add_callback_threadsafe(lambda: self._lose(reason))

    # -- opening and closing

    def prepare(self) -> None:
        """Make the connection object and its loop, so that `end` and `drop` work from here on."""
        self._link = Link(
            self.endpoint.for_pika(connect_timeout=self.timing.connect, heartbeat=self.timing.heartbeat),
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_closed,
            on_close_callback=self._on_closed,
        )
        self._link.deliver, self._link.pause = self._on_deliver, self._on_pause

    def open(self) -> None:
        """Connect and begin to consume; raises Unavailable, QueueMissing or Misconfigured."""
        self._link.ioloop.call_later(2 * self.timing.connect, self._give_up_opening)
        self._link.ioloop.start()
        if self._ended:
            raise self.reason()

    def run(self) -> None:
        """Serve until the connection ends."""
        self._link.ioloop.call_later(self.timing.tick, self._tick)
        self._link.ioloop.start()

    def dispose(self) -> None:
        """Free the loop's file descriptors."""
        self._link.ioloop.close()

    def reason(self) -> PostroomError:
        """Why the connection ended."""
        error = self._error
        if isinstance(error, pika_errors.ChannelClosedByBroker) and error.reply_code == _NOT_FOUND:
            what = error.reply_text.removeprefix("NOT_FOUND - ")
            return QueueMissing(f"RabbitMQ at {self.endpoint.host}:{self.endpoint.port} has {what}")
        return self.endpoint.explain(error or Unavailable("the connection was closed"))

    def _on_open(self, link: Any) -> None:
        self._counter = wire.counter_of(link.server_properties)
        link.add_on_connection_blocked_callback(lambda _, method: self._on_blocked(_alarm(method)))
        link.add_on_connection_unblocked_callback(lambda *_: self._on_blocked(""))
        link.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_cancel_callback(self._on_cancelled)
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=self._begin)

    def _begin(self, _frame: Any) -> None:
        """Consume, unless the session was to end while it opened."""
        if self._mode is _Mode.OPENING:
            self._consume(1)

    def _consume(self, width: int) -> None:
        self._mode = _Mode.NARROW if width == 1 else _Mode.WIDE
        self._channel.basic_qos(prefetch_count=width)
        self._consumer_tag = self._channel.basic_consume(
            self.names.queue_of(self.key), _unused, callback=self._on_consuming
        )

    def _on_consuming(self, _frame: Any) -> None:
        """Once opened, the thread goes on from `open` to `run`."""
        if not self._received[0]:
            self._received = (1, self._link.bytes_received)
            self.owner.opened()
            self._link.ioloop.stop()

    def _on_channel_closed(self, _channel: Channel, reason: BaseException) -> None:
        if self._link.is_open:
            self._lose(reason)

    def _lose(self, reason: BaseException | str) -> None:
        """Drop the connection; the broker redelivers everything unacknowledged."""
        if self._error is None:
            self._error = Unavailable(reason) if isinstance(reason, str) else reason
        if self._link.is_open or self._link.is_closing:
            self._link.drop(str(reason))
        elif not self._link.is_closed:
            self._link.close()

    def _end(self) -> None:
        if self._link.is_closing or self._link.is_closed:
            return
        self._link.close()

    def _give_up_opening(self) -> None:
        if self._mode is _Mode.OPENING:
            self._lose("RabbitMQ does not answer in time")

    def _on_closed(self, _link: Any, reason: BaseException) -> None:
        if self._error is None:
            self._error = reason
        self._ended = True
        self._link.ioloop.stop()

    # -- watching

    def _tick(self) -> None:
        self._link.ioloop.call_later(self.timing.tick, self._tick)
        self._drain()
        self._watch_silence()
        if self._confirms.oldest_age() > self.timing.confirm and not self._blocked:
            self._lose(f"RabbitMQ gave no confirm within {self.timing.confirm:g} s")

    def _watch_silence(self) -> None:
        """Noticed within two heartbeats; pika alone waits for five seconds more than one."""
        ticks, received = self._received
        same = received == self._link.bytes_received
        self._received = (ticks + 1 if same else 1, self._link.bytes_received)
        if self.timing.heartbeat and self._received[0] * self.timing.tick > 2 * self.timing.heartbeat:
            self._lose("RabbitMQ is silent: no heartbeat")

    def _on_blocked(self, reason: str) -> None:
        self._blocked = reason
        self._confirms.start_again()
        log.warning("broker_blocked" if reason else "broker_unblocked", extra={"queue": self.key, "reason": reason})
        self.owner.blocked(reason)

    # -- consuming

    def _on_deliver(self, came: frames.Delivered) -> None:
        self._unacked[came.number] = None
        delivery = self._read(came)
        if delivery.count >= MAX_DELIVERIES:
            moved = wire.moved_by_broker(came.properties.headers or {})
            post = Post(delivery.message) if moved else dead_letter(delivery, POISONED, self.key)
            self._leave(PendingSettlement(delivery, came.number, [post]))
            return
        if self._mode is _Mode.WIDE and (delivery.count or len(came.body) > LARGE_BODY_BYTES):
            self._empty()
        self._arrived.append(delivery)

    def _on_pause(self) -> None:
        """Acknowledge and hand over together what came together."""
        confirmed, self._confirmed = self._confirmed, []
        self._acknowledge(confirmed)
        self._hand_over()

    def _hand_over(self) -> None:
        arrived, self._arrived = self._arrived, []
        if arrived:
            self.owner.arrived(arrived)

    def _read(self, came: frames.Delivered) -> Delivery:
        properties = came.properties
        table = properties.headers or {}
        headers = wire.incoming(table)
        if properties.content_encoding:
            headers[CONTENT_ENCODING] = wire.text_of(properties.content_encoding)
        if self.key == DEAD_LETTER:
            wire.buried_by_broker(headers, table, self.names)
        message = Message(
            id=wire.text_of(properties.message_id),
            to=self.key,
            body=came.body,
            type=wire.text_of(properties.type),
            content_type=wire.text_of(properties.content_type),
            correlation_id=wire.text_of(properties.correlation_id),
            headers=headers,
        )
        count = wire.handed_out(table, redelivered=came.redelivered, counter=self._counter)
        return Delivery(message, self.key, count, Tag(self.connection_generation, came.number))

    def _empty(self) -> None:
        """Return to prefetch 1, after everything held is settled."""
        self._mode = _Mode.EMPTYING
        self._cancel()

    def _cancel(self) -> None:
        """What the queue sends until this reaches it comes before its answer."""
        self._cancelling = True
        self.owner.late_deliveries(may_come=True)
        self._channel.basic_cancel(self._consumer_tag, callback=self._on_last)

    def _on_last(self, _frame: Any) -> None:
        self._cancelling = False
        self._hand_over()  # before the owner hears that these were the last
        self.owner.late_deliveries(may_come=False)
        self._next_mode([])

    def _sync(self) -> None:
        """Any request with an answer would do; a new prefetch holds for the next consumer, which sets its own."""
        if self._is_open():
            self._channel.basic_qos(prefetch_count=1, callback=lambda _: self.owner.synced())

    def _stop_consuming(self) -> None:
        consuming, self._mode = self._mode in (_Mode.NARROW, _Mode.WIDE), _Mode.STOPPING
        if consuming and self._is_open():
            self._cancel()
        elif not self._cancelling:
            self.owner.late_deliveries(may_come=False)

    def _on_cancelled(self, _frame: Any) -> None:
        """Finish what is held before the connection ends: when the queue was deleted, these are its last messages."""
        queue = self.names.queue_of(self.key)
        self._retire(
            QueueMissing(f"RabbitMQ ended the consumer of {queue}: the queue was deleted or the handler too slow")
        )

    def _retire(self, reason: PostroomError) -> None:
        """Take nothing more over this connection; what it brought can still be finished, uncounted."""
        if self._mode in (_Mode.NARROW, _Mode.WIDE) and not isinstance(reason, QueueMissing) and self._is_open():
            self._cancel()
        if self._mode is not _Mode.STOPPING:
            self._mode, self._retired = _Mode.RETIRING, reason
            self._next_mode([])

    def _next_mode(self, gone: Sequence[PendingSettlement]) -> None:
        """Widen after a first delivery that is not a redelivery; narrow again when a cancelled consumer is empty.

        Widening happens before the acknowledgement leaves: until then the broker may send nothing.
        """
        if self._mode is _Mode.NARROW and self.prefetch > 1 and any(map(_is_ordinary, gone)):
            self._channel.basic_cancel(self._consumer_tag, callback=_unused)
            self._consume(self.prefetch)
        elif self._unacked or self._cancelling:
            return
        elif self._mode is _Mode.EMPTYING:
            self._consume(1)
        elif self._mode is _Mode.RETIRING:
            self._error = self._retired
            self._end()  # in order: the last acknowledgement has to reach the broker

    def _is_open(self) -> bool:
        return bool(self._link.is_open and self._channel.is_open)

    # -- publishing

    def _drain(self) -> None:
        """Leave the decisions of an earlier connection alone: their deliveries have come back."""
        done = []
        for pending in self.owner.outbox():
            if pending.posts:
                self._leave(pending)
            else:
                done.append(pending)
        self._acknowledge(done)

    def _leave(self, pending: PendingSettlement) -> None:
        pending.waiting = len(pending.posts)
        for post in pending.posts:
            if not self._is_open():
                return
            self._publish(pending, post)

    def _publish(self, pending: PendingSettlement, post: Post) -> None:
        message, exchange = post.message, post.exchange or self.names.work
        self._confirms.sent((pending, post), wire.short(message.id), message.to)
        properties = frames.properties_of(message, post.handed_out)
        self._link.publish(self._channel.channel_number, exchange, message.to, properties, message.body)
        crash_point("broker.published")

    def _on_return(self, _channel: Channel, method: spec.Basic.Return, properties: Any, _body: bytes) -> None:
        self._confirms.returned(wire.text_of(properties.message_id), wire.text_of(method.routing_key))

    def _on_confirm(self, answer: Any) -> None:
        method = answer.method
        ok = isinstance(method, spec.Basic.Ack)
        complete = []
        for (pending, post), verdict in self._confirms.answered(method.delivery_tag, multiple=method.multiple, ok=ok):
            pending.waiting -= 1
            if verdict is not PublishVerdict.CONFIRMED:
                pending.trouble = pending.trouble or (post, verdict)
            if not pending.waiting:
                complete.append(pending)
        crash_point("broker.confirmed")
        for each in complete:
            if each.trouble:
                self._requeue_later(each, *each.trouble)
            else:
                self._confirmed.append(each)

    def _requeue_later(self, pending: PendingSettlement, post: Post, verdict: PublishVerdict) -> None:
        """The broker said no. Keep the original in the shortest tier, uncounted; without a tier, start afresh."""
        message = post.message
        place = {"queue": self.key, "to": message.to, "id": message.id, "mail_id": message.correlation_id}
        log.error("publish_not_taken", extra={**place, "reason": verdict.value})
        if pending.last_resort:
            self._lose(f"RabbitMQ takes neither a message for {post.message.to!r} nor its retry")
            return
        error = refusal(post, verdict)
        self.owner.failed(error)
        if verdict is PublishVerdict.REFUSED:
            self._retire(error)  # RabbitMQ 3 may go on refusing on this channel when the queue has room again
        copy = through_tier(pending.delivery.message, self.names, TIERS[0], handed_out=pending.delivery.count)
        self._leave(replace(pending, posts=[copy], trouble=None, last_resort=True))

    def _acknowledge(self, gone: Sequence[PendingSettlement]) -> None:
        if not gone or not self._is_open():
            return
        for each in gone:
            self._unacked.pop(each.number, None)
        if self._mode is _Mode.NARROW:
            self._next_mode(gone)
        first_left = next(iter(self._unacked), None)
        covered, rest = _split([each.number for each in gone], first_left)
        if covered:
            self._channel.basic_ack(max(covered), multiple=len(covered) > 1)
        for number in rest:
            self._channel.basic_ack(number)
        crash_point("broker.acked")
        self.owner.finished([each.number for each in gone])
        if self._mode in (_Mode.EMPTYING, _Mode.RETIRING):
            self._next_mode(gone)


def dead_letter(delivery: Delivery, reason: str, stage: str) -> Post:
    """The original message on its way to the dead letters, or from there to the parked ones."""
    to = PARKED if delivery.queue == DEAD_LETTER else DEAD_LETTER
    letter = delivery.message.with_headers(reason=reason, stage=stage, queue=delivery.queue)
    return Post(replace(letter, to=to))


def through_tier(message: Message, names: Topology, seconds: int, handed_out: int = 0) -> Post:
    """Through the shortest tier that holds it for at least `seconds`, or the longest there is."""
    tier = next((each for each in sorted(names.tiers) if each >= seconds), max(names.tiers))
    return Post(message, names.tiers[tier], handed_out)


def refusal(post: Post, verdict: PublishVerdict) -> PostroomError:
    """The error for the worker when the broker refused a publish."""
    to = post.message.to
    if verdict is PublishVerdict.RETURNED:
        return Unroutable(f"no queue takes messages for {to!r}: the topology is incomplete")
    return Unavailable(f"RabbitMQ refuses messages for {to!r}: the queue is full or has no leader")


def _split(numbers: list[int], first_left: int | None) -> tuple[list[int], list[int]]:
    """Numbers that one acknowledgement up to the highest covers, and those beyond the first still held."""
    if first_left is None:
        return numbers, []
    return [each for each in numbers if each < first_left], [each for each in numbers if each > first_left]


def _is_ordinary(pending: PendingSettlement) -> bool:
    return not pending.delivery.count and len(pending.delivery.message.body) <= LARGE_BODY_BYTES


def _alarm(method: Any) -> str:
    return wire.text_of(getattr(method.method, "reason", None)) or "resource alarm"


def _unused(*_: Any) -> None:
    """Do nothing; pika requires a callback."""
