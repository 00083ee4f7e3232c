"""The Broker port on RabbitMQ: exchanges, quorum queues and retry tiers of `topology`.

kombu (`publisher`) serves everything outside a worker, pika (`consumer`, `session`) the
workers. Separate from both, because this module composes them into a `Broker`.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import amqp

from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.rabbitmq import topology
from shared.rabbitmq.consumer import RabbitConsumer
from shared.rabbitmq.endpoint import Endpoint, quiet_libraries
from shared.rabbitmq.publisher import Publisher, PublishTimeouts, waited
from shared.rabbitmq.session import Timing
from shared.rabbitmq.wire import MAX_MESSAGE_BYTES
from shared.runtime.broker import PARKED, RETRY, Depth, Message, WorkQueues

__all__ = ["MAX_MESSAGE_BYTES", "RabbitBroker", "RabbitConsumer"]

log = logging.getLogger(__name__)

_MANAGEMENT_SECONDS = 3.0


class RabbitBroker:
    """See `Broker`. One per process; `publish`, `announce` and `depths` may be called from any thread.

    `verify_only`: never create anything, fail with `Misconfigured` when something is missing.
    `management_url`: `http://[user:password@]host:15672`; without it `unacked` is not known.
    `timing`: time limits of connections and confirms.
    `tier_scale`: shortens the retry tiers in tests; all processes on one broker must agree.
    """

    def __init__(
        self,
        url: str,
        queues: WorkQueues,
        *,
        verify_only: bool = False,
        prefix: str = topology.PREFIX,
        management_url: str | None = None,
        ca_file: str | None = None,
        timing: Timing = Timing(),  # noqa: B008 frozen default
        tier_scale: float = 1.0,
    ) -> None:
        quiet_libraries()
        self.endpoint = Endpoint.parse(url, ca_file)
        self.names, self.queues = topology.topology(queues, prefix, tier_scale), queues
        self.verify_only, self.management_url = verify_only, management_url
        self._timing = timing
        self._publisher = Publisher(self.endpoint, PublishTimeouts(timing.connect, timing.confirm))
        self._consumers: list[RabbitConsumer] = []
        self._lock = threading.Lock()

    def declare(self) -> None:
        """Raises Misconfigured when something is missing (`verify_only`) or differs; Unavailable."""
        act = topology.verify if self.verify_only else topology.declare
        self._publisher.ask(lambda channel: act(channel, self.names))

    def publish(self, messages: Sequence[Message]) -> None:
        """Confirms of the whole batch are awaited together. Raises BoundExceeded for a body over MAX_MESSAGE_BYTES."""
        self._publisher.publish(messages, self.names.work)

    def announce(self, messages: Sequence[Message]) -> None:
        """Best effort: an event that cannot be published is logged."""
        try:
            self._publisher.publish(messages, self.names.events, mandatory=False, attempts=2)
        except PostroomError as error:
            log.warning("events_not_announced", extra={"count": len(messages), "reason": str(error)})

    def ping(self) -> None:
        """Raises Unavailable during an alarm of memory or disk, too; costs one message that no queue takes."""
        self._publisher.probe(self.names.work)

    def consumer(self, queue: str, prefetch: int) -> RabbitConsumer:
        """Returns at once and connects in the background; `take` raises when that fails."""
        repair = None if self.verify_only else self.declare
        consumer = RabbitConsumer(self.endpoint, self.names, queue, prefetch, timing=self._timing, repair=repair)
        with self._lock:
            self._consumers = [*(each for each in self._consumers if not each.closed), consumer]
        return consumer

    def depths(self) -> Sequence[Depth]:
        """`ready` and `consumers` from the broker itself; `unacked` from the last statistics of the management API."""
        counted = self._publisher.ask(self._count)
        unacked = self._unacked()
        shown = [self._depth(key, counted, unacked) for key in (*self.queues.names, PARKED)]
        waiting = sum(counted[name][0] for name in self.names.tiers.values())
        return [*shown, Depth(RETRY, waiting, None if unacked is None else 0, None)]

    def _depth(self, key: str, counted: Mapping[str, tuple[int, int]], unacked: Mapping[str, int] | None) -> Depth:
        name = self.names.queue_of(key)
        ready, consumers = counted[name]
        return Depth(key, ready, None if unacked is None else unacked.get(name, 0), consumers)

    def _count(self, channel: Any) -> dict[str, tuple[int, int]]:
        """Messages ready and consumers, by queue name."""
        try:
            found = [channel.queue_declare(queue.name, passive=True) for queue in self.names.queues]
        except amqp.NotFound as error:
            what = error.reply_text.removeprefix("NOT_FOUND - ")
            remedy = "start a worker that may make it, or import deploy/rabbitmq/definitions.json"
            raise Misconfigured(f"RabbitMQ has {what}: {remedy}") from error
        return {each.queue: (each.message_count, each.consumer_count) for each in found}

    def _unacked(self) -> dict[str, int] | None:
        """None when there is no management URL, or nothing useful behind it."""
        if self.management_url is None:
            return None
        try:
            request = self._management_request()
            context = self.endpoint.tls_context() if request.type == "https" else None
            with urllib.request.urlopen(request, timeout=_MANAGEMENT_SECONDS, context=context) as answer:  # noqa: S310
                queues = json.load(answer)
            return {each["name"]: int(each.get("messages_unacknowledged", 0)) for each in queues}
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("management_api_failed", extra={"reason": type(error).__name__})
            return None

    def _management_request(self) -> urllib.request.Request:
        parts = urlsplit(self.management_url or "")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Misconfigured("the RabbitMQ management URL must look like http://user:password@host:15672")
        user = unquote(parts.username or self.endpoint.user)
        password = unquote(parts.password or self.endpoint.password)
        host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
        base = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        url = f"{base}/api/queues/{quote(self.endpoint.vhost, safe='')}?columns=name,messages_unacknowledged"
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        return urllib.request.Request(url, headers={"Authorization": f"Basic {token}"})  # noqa: S310  http(s) only

    def in_flight(self) -> int:
        """Without a management URL, what other processes hold unacknowledged is not in it."""
        held = {} if self.management_url else self._held_here()
        left_out = {PARKED, *self.queues.not_in_flight}
        return sum(
            each.ready + (held.get(each.name, 0) if each.unacked is None else each.unacked)
            for each in self.depths()
            if each.name not in left_out
        )

    def _held_here(self) -> dict[str, int]:
        held: dict[str, int] = {}
        for consumer in self._consumers:
            held[consumer.queue] = held.get(consumer.queue, 0) + consumer.held
        return held

    def join(self, timeout: float) -> bool:
        """Wait until two counts in a row are zero: a message that leaves a tier is in no count for a moment."""
        return waited(lambda: self._is_quiet() and self._is_quiet(), timeout)

    def _is_quiet(self) -> bool:
        try:
            depths = self.depths()
        except Unavailable:
            return False
        quiet = not any(each.ready or each.unacked for each in depths if each.name != PARKED)
        return quiet and not any(consumer.held for consumer in self._consumers)

    def close(self) -> None:
        """Close consumers that are still open, all at once, and the pool: below 10 s whatever RabbitMQ does."""
        closing = [threading.Thread(target=consumer.close) for consumer in self._consumers]
        for each in closing:
            each.start()
        for each in closing:
            each.join()
        self._publisher.close()
