"""Publishing in batches, declaring and counting on RabbitMQ: everything but a worker's own connection.

Reads messages; returns when they are confirmed, or raises Postroom's own errors. Separate, because here calls block and
kombu holds the connections, while a worker (`consumer`) never blocks. kombu sends each message alone, and its
`confirm_publish` waits for each; here a batch is written together and its confirms are awaited together.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import amqp
import kombu
import tenacity
from kombu.resource import Resource
from kombu.utils.functional import lazy

from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.lazy_dataclass import dataclass
from shared.rabbitmq import frames, wire
from shared.rabbitmq.confirms import Confirms, PublishVerdict
from shared.rabbitmq.endpoint import Endpoint
from shared.runtime.broker import Message, Unroutable

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
_MAX_CONNECTIONS = 8
"""Connections in the pool; further threads wait for a free one."""
_ATTEMPTS, _RETRY_SECONDS = 4, 2.0
_SEND_BYTES = 256 << 10
"""Written together."""
_PIECE_BYTES = 1 << 20
"""Of a larger message: each piece has the whole time-out, since a slow link needs it for each."""
PROBE = "probe"
"""Routing key that no queue is bound to."""
_BROKEN = (amqp.AMQPError, OSError, AttributeError)
"""py-amqp raises AttributeError, too, when the connection is lost during a call."""


class _Lost(Unavailable):
    """The connection broke: worth another one at once, ids are stable."""


class PooledConnection:
    """One pooled connection with one channel in confirm mode."""

    def __init__(self, connection: kombu.Connection, endpoint: Endpoint, confirm_seconds: float) -> None:
        self.connection, self.endpoint, self.confirm_seconds = connection, endpoint, confirm_seconds
        self.blocked = ""
        self._heard = 0.0
        self._confirms: Confirms[Message] = Confirms()
        self._refused: list[tuple[Message, PublishVerdict]] = []
        self._channel: Any = None
        connection.transport_options["on_blocked"] = self._on_blocked
        connection.transport_options["on_unblocked"] = lambda: self._on_blocked("")

    def publish(self, messages: Sequence[Message], exchange: str, *, mandatory: bool) -> None:
        """Send all, then wait for all confirms. Raises Unroutable or Unavailable; then use another connection."""
        channel, waiting = self._ready(), bytearray()
        for message in messages:
            self._confirms.sent(message, wire.short(message.id), message.to)
            waiting += self._frames(channel, message, exchange, mandatory=mandatory)
            if len(waiting) >= _SEND_BYTES:
                self._send(channel.connection, waiting)
                waiting = bytearray()
        self._send(channel.connection, waiting)
        self._wait()
        if self._refused:
            raise _refusal(*self._refused[0])

    def _ready(self) -> Any:
        if self._channel is None:
            channel = self.connection.channel()
            channel.confirm_select()
            channel.events["basic_ack"].add(lambda tag, multiple: self._answered(tag, multiple, ok=True))
            channel.events["basic_nack"].add(lambda tag, multiple: self._answered(tag, multiple, ok=False))
            channel.events["basic_return"].add(self._on_return)
            self._channel = channel
        return self._channel

    def _frames(self, channel: Any, message: Message, exchange: str, *, mandatory: bool) -> bytes:
        properties = frames.properties_of(message)
        largest = channel.connection.frame_max - frames.AROUND
        number = channel.channel_id
        return frames.published(number, exchange, message.to, properties, message.body, largest, mandatory=mandatory)

    def _send(self, connection: Any, data: bytes | bytearray) -> None:
        """Read first what the broker has said meanwhile: it may have closed the channel, or block publishers."""
        with contextlib.suppress(TimeoutError):
            while True:
                connection.drain_events(timeout=0)
        whole = memoryview(data)
        for start in range(0, len(whole), _PIECE_BYTES):
            with connection.transport.having_timeout(self.confirm_seconds):
                connection.transport.write(whole[start : start + _PIECE_BYTES])
        connection.bytes_sent += 1  # py-amqp counts writes here, and sends a heartbeat when there were none

    def _wait(self, *, through_alarm: bool = True) -> None:
        """Silence counts from the last sending, or the last answer: a large batch may take its time.

        `through_alarm`: an alarm may end within that time.
        """
        self._heard = time.monotonic()
        while len(self._confirms):
            left = self.confirm_seconds - (time.monotonic() - self._heard)
            if left <= 0 or (self.blocked and not through_alarm):
                raise self._silence()
            with contextlib.suppress(TimeoutError):
                self.connection.drain_events(timeout=left)

    def probe(self, exchange: str) -> None:
        """Publish a message that no queue takes: RabbitMQ announces an alarm to those who publish, and to no other.

        Raises Unavailable, as soon as it does; then use another connection.
        """
        channel, probe = self._ready(), Message(uuid.uuid4().hex, PROBE, b"")
        self._confirms.sent(probe, probe.id, probe.to)
        self._send(channel.connection, self._frames(channel, probe, exchange, mandatory=True))
        self._wait(through_alarm=False)
        self._refused.clear()

    def _silence(self) -> Unavailable:
        if self.blocked:
            return self.endpoint.alarm(self.blocked)
        place = f"RabbitMQ at {self.endpoint.host}:{self.endpoint.port}"
        return Unavailable(f"{place} confirmed nothing within {self.confirm_seconds:g} s")

    def _answered(self, tag: int, multiple: bool, *, ok: bool) -> None:
        for message, verdict in self._confirms.answered(tag, multiple=multiple, ok=ok):
            if verdict is not PublishVerdict.CONFIRMED:
                self._refused.append((message, verdict))
        self._heard = time.monotonic()

    def _on_return(self, _error: object, _exchange: str, key: str, returned: Any) -> None:
        self._confirms.returned(wire.text_of(returned.properties.get("message_id")), wire.text_of(key))

    def _on_blocked(self, reason: str) -> None:
        self.blocked = wire.text_of(reason)
        log.warning("broker_blocked" if reason else "broker_unblocked", extra={"reason": self.blocked})

    def close(self) -> None:
        """Close the socket without AMQP's closing handshake: the broker may be frozen, and nothing is pending."""
        with contextlib.suppress(*_BROKEN):
            self.connection.collect(socket_timeout=0.2)


def _refusal(message: Message, verdict: PublishVerdict) -> PostroomError:
    if verdict is PublishVerdict.RETURNED:
        return Unroutable(f"no queue takes messages for {message.to!r}: the topology is incomplete")
    return Unavailable(f"RabbitMQ refuses messages for {message.to!r}: the queue is full or has no leader")


class _Pool(Resource):
    """kombu's pool, of connections with a channel in confirm mode."""

    def __init__(self, make: Callable[[], PooledConnection], limit: int) -> None:
        self._make = make
        super().__init__(limit=limit)

    def setup(self) -> None:
        for _ in range(self.limit):
            self._resource.put_nowait(self.new())

    def new(self) -> Any:
        return lazy(self._make)

    def prepare(self, resource: Any) -> Any:
        return resource() if isinstance(resource, lazy) else resource

    def replace(self, resource: Any) -> None:
        """Free the place in the pool, so that the next thread does not wait for its time-out."""
        super().replace(resource)
        self._resource.put_nowait(self.new())

    def close_resource(self, resource: Any) -> None:
        if not isinstance(resource, lazy):
            resource.close()

    collect_resource = close_resource


@dataclass(frozen=True, slots=True)
class PublishTimeouts:
    """How long to wait for a connection, and for the confirms of a batch."""

    connect_seconds: float = 5.0
    confirm_seconds: float = 10.0


class Publisher:
    """Thread-safe; connections are made when first needed and kept."""

    def __init__(self, endpoint: Endpoint, timeouts: PublishTimeouts) -> None:
        self.endpoint, self.timeouts = endpoint, timeouts
        self._pool = _Pool(self._connect, _MAX_CONNECTIONS)

    def _connect(self) -> PooledConnection:
        connection = self.endpoint.for_kombu(
            connect_timeout=self.timeouts.connect_seconds, write_timeout=self.timeouts.confirm_seconds
        )
        return PooledConnection(connection, self.endpoint, self.timeouts.confirm_seconds)

    def publish(
        self, messages: Sequence[Message], exchange: str, *, mandatory: bool = True, attempts: int = _ATTEMPTS
    ) -> None:
        """Returns when the broker has confirmed all of them."""
        for message in messages:
            wire.check_size(message)
        if messages:
            send = partial(self._once, lambda pooled: pooled.publish(messages, exchange, mandatory=mandatory))
            self._retried(send, attempts)

    def ask(self, question: Callable[[Any], Answer]) -> Answer:
        """Call with a fresh channel (an error closes a channel, and only that)."""

        def with_channel(pooled: PooledConnection) -> Answer:
            with pooled.connection.channel() as channel:
                return question(channel)

        return self._retried(lambda: self._once(with_channel))

    def probe(self, exchange: str) -> None:
        """Raises Unavailable while the broker takes no messages."""
        self._retried(partial(self._once, lambda pooled: pooled.probe(exchange)))

    def _retried(self, action: Callable[[], Answer], attempts: int = _ATTEMPTS) -> Answer:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Lost),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=1.0),
            stop=tenacity.stop_after_attempt(attempts) | tenacity.stop_before_delay(_RETRY_SECONDS),
            before_sleep=self._log_retry,
            reraise=True,
        )
        return retrying(action)

    def _log_retry(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("publish_repeated", extra={"attempt": state.attempt_number, "reason": str(error)})

    def _once(self, action: Callable[[PooledConnection], Answer]) -> Answer:
        """Any error gives the connection up, with everything that its channel still has in flight."""
        with self._acquired() as pooled:
            try:
                answer = action(pooled)
            except BaseException as error:
                self._pool.replace(pooled)
                if isinstance(error, _BROKEN):
                    raise self._translated(error) from error
                raise
            self._pool.release(pooled)
            return answer

    @contextlib.contextmanager
    def _acquired(self) -> Iterator[PooledConnection]:
        try:
            pooled = self._pool.acquire(block=True, timeout=self.timeouts.confirm_seconds)
        except kombu.exceptions.LimitExceeded as error:
            raise Unavailable("all connections to RabbitMQ are busy") from error
        yield pooled

    def _translated(self, error: BaseException) -> PostroomError:
        if isinstance(error, amqp.NotFound):
            return Unroutable(f"the topology is incomplete: {error.reply_text.removeprefix('NOT_FOUND - ')}")
        explained = self.endpoint.explain(error)
        if isinstance(explained, Misconfigured) or isinstance(error, TimeoutError):
            return explained
        return _Lost(str(explained))

    def close(self) -> None:
        """Close what is idle; safe to call twice."""
        self._pool.force_close_all()


def waited(done: Callable[[], bool], timeout: float, pause: float = 0.1) -> bool:
    """Poll until `done()` or `timeout` seconds have passed."""
    deadline = time.monotonic() + timeout
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
