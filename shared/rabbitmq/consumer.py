"""The worker's side of one queue: hand-over between the worker's thread and the I/O thread, and reconnecting.

Takes the worker's calls and the session's callbacks; passes on deliveries and settlements. Separate, because only this
object is shared by two threads, under one lock; `session` serves one connection.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import tenacity

from shared.contracts.errors import PostroomError, Unavailable
from shared.rabbitmq.endpoint import Endpoint
from shared.rabbitmq.session import (
    PendingSettlement,
    Post,
    QueueMissing,
    Session,
    Tag,
    Timing,
    dead_letter,
    through_tier,
)
from shared.rabbitmq.topology import Topology
from shared.rabbitmq.wire import check_size
from shared.runtime.broker import Delivery, Message, Unroutable

log = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
"""How long closing waits for confirms; with the orderly close and a hard drop after it, below 10 s in all."""
CLOSE_HANDSHAKE_SECONDS = 2.0
RECONNECT_MAX_SECONDS = 3.0
FEW_SECONDS = 0.002
"""How long a few deliveries wait for those behind them: however small, a batch waits several times for the store."""


class RabbitConsumer:
    """See `Consumer`. A call that raises has done nothing: its delivery is still the worker's to settle.

    What was settled leaves together: when nothing else is in hand, when the worker takes or flushes, or at the
    session's next tick.

    Deliveries of a lost connection have gone back to their queue: settling one raises Unavailable, giving
    one back is in order.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        names: Topology,
        queue: str,
        prefetch: int,
        *,
        timing: Timing,
        repair: Callable[[], None] | None = None,
    ) -> None:
        self.queue, self.prefetch = queue, max(1, prefetch)
        self._endpoint, self._names, self._timing, self._repair = endpoint, names, timing, repair
        self._changed = threading.Condition()
        self._arrived: deque[Delivery] = deque()
        self._out: dict[int, Delivery] = {}
        self._settling: set[int] = set()
        self._outbox: list[PendingSettlement] = []
        self._woken = self._unread = self._late_deliveries = False
        self._session: Session | None = None
        self._connection_generation = 0
        self._unavailable: PostroomError | None = None
        self._was_up = False
        self._blocked = ""
        self._failure: PostroomError | None = None
        self._incomplete = False
        self._awake = threading.Event()
        self._awake.set()
        self._closing = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_connected, name=f"amqp-{queue}", daemon=True)
        self._thread.start()

    # -- the worker's thread

    def take(self, timeout: float) -> Sequence[Delivery]:
        """Deliveries that arrived, up to `prefetch`. A redelivered one comes alone, after all before it are settled."""
        self._awake.set()
        self._complete_topology()
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                self._raise_failure()
                self._wait_for_more()
                batch = self._batch()
                self._send()
                if batch:
                    return batch
                left = deadline - time.monotonic()
                if left <= 0 or self._closing.is_set():
                    break
                self._changed.wait(left)
            self._raise_if_unavailable()
        return ()

    def _wait_for_more(self) -> None:
        if 0 < len(self._arrived) < self.prefetch - len(self._out):
            self._changed.release()  # not `wait`, which each arrival ends
            try:
                time.sleep(FEW_SECONDS)
            finally:
                self._changed.acquire()

    def _batch(self) -> Sequence[Delivery]:
        if self._blocked or self._closing.is_set():
            return ()
        ordinary = [each for each in self._arrived if not each.count]
        if ordinary:
            kept = [each for each in self._arrived if each.count]
            self._arrived = deque(kept)
            return self._hand_out(ordinary)
        return self._alone()

    def _alone(self) -> Sequence[Delivery]:
        """Give the other deliveries back uncounted: if this one kills the process, they are not affected."""
        if self._late_deliveries:
            return ()
        self._give_back([self._arrived.pop() for _ in range(len(self._arrived) - 1)])
        if not self._arrived or self._out:
            return ()
        return self._hand_out([self._arrived.popleft()])

    def _hand_out(self, batch: Sequence[Delivery]) -> Sequence[Delivery]:
        self._out.update((_number(each), each) for each in batch)
        return batch

    def settle(self, delivery: Delivery, then: Sequence[Message] = ()) -> None:
        """Raises BoundExceeded at once when a message of `then` is too large."""
        for message in then:
            check_size(message)
        self._leave(delivery, *map(Post, then))

    def redeliver(self, delivery: Delivery, seconds: int) -> None:
        """Through a tier, `attempt` raised by one."""
        message = delivery.message.with_headers(attempt=delivery.message.attempt + 1)
        self._leave(delivery, through_tier(message, self._names, seconds))

    def wait(self, delivery: Delivery, seconds: int) -> None:
        """Through a tier, `attempt` as it was."""
        self._leave(delivery, through_tier(delivery.message, self._names, seconds))

    def give_back(self, delivery: Delivery) -> None:
        """A copy with equal headers goes to the queue: RabbitMQ would count a nack towards the limit."""
        with self._changed:
            if self._is_held(delivery):
                self._post(delivery, _back_to_its_queue(delivery))
                self._send_when_all_is_decided()

    def bury(self, delivery: Delivery, reason: str, stage: str) -> None:
        """To the dead letters; from there to the parked ones."""
        self._leave(delivery, dead_letter(delivery, reason, stage))

    def flush(self) -> None:
        """Bounded: a confirm that does not come is a failure, and so is a broker that blocks publishers."""
        deadline = time.monotonic() + self._timing.confirm + 2 * self._timing.tick
        with self._changed:
            self._send()
            self._wait_for(lambda: not self._settling, deadline)
            if self._unread and self._session is not None:
                self._session.sync()
                self._wait_for(lambda: not self._unread, deadline)

    def _wait_for(self, done: Callable[[], bool], deadline: float) -> None:
        while not done() and not self._failure and time.monotonic() < deadline:
            self._changed.wait(deadline - time.monotonic())
        self._raise_failure()
        if not done():
            raise Unavailable(self._blocked or "RabbitMQ confirms nothing")

    def rest(self) -> None:
        """Close the connection; RabbitMQ's consumer time-out (half an hour) ends it too, and counts what it held.

        One that is not connected stays so until the next `take`. While RabbitMQ blocks publishers nothing can be given
        back: call it again.
        """
        with self._changed:
            if self._closing.is_set():
                return
            self._awake.clear()
            if self._session is not None and not self._blocked:
                self._give_back_everything()
                self._session.retire(Unavailable("the consumer rests"))

    def close(self) -> None:
        """Ends within 10 s whatever the broker does. What is still held goes back uncounted."""
        with self._changed:
            if self._closing.is_set():
                return
            self._closing.set()
            self._awake.set()
            self._give_back_everything()
            if self._session is not None and self._unavailable is None:
                self._late_deliveries = True
                self._session.stop_consuming()
            self._changed.notify_all()
            self._wait_for_settlements(time.monotonic() + CLOSE_SECONDS)
        self._stop_thread()

    def _give_back_everything(self) -> None:
        held = [*(each for number, each in self._out.items() if number not in self._settling), *self._arrived]
        self._arrived.clear()
        self._give_back(held)

    def _give_back(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self._out[_number(delivery)] = delivery
            self._post(delivery, _back_to_its_queue(delivery))
        self._send()

    def _wait_for_settlements(self, deadline: float) -> None:
        while (self._settling or self._late_deliveries) and self._unavailable is None and not self._blocked:
            left = deadline - time.monotonic()
            if left <= 0:
                log.warning("closed_unconfirmed", extra={"queue": self.queue, "count": len(self._settling)})
                break
            self._changed.wait(left)

    def _stop_thread(self) -> None:
        self._stopping.set()
        self._with_session(lambda session: session.end())
        self._thread.join(CLOSE_HANDSHAKE_SECONDS)
        if self._thread.is_alive():
            self._with_session(lambda session: session.drop("closing"))
            self._thread.join(CLOSE_HANDSHAKE_SECONDS)

    def _with_session(self, action: Callable[[Session], None]) -> None:
        with self._changed:
            if self._session is not None:
                action(self._session)

    # -- under the lock

    def _leave(self, delivery: Delivery, *posts: Post) -> None:
        with self._changed:
            self._raise_failure()
            if not self._is_held(delivery):
                raise Unavailable("the connection that brought this delivery is lost; it comes back")
            self._post(delivery, *posts)
            self._send_when_all_is_decided()

    def _is_held(self, delivery: Delivery) -> bool:
        tag = delivery.tag
        if not isinstance(tag, Tag):
            raise PostroomError("this delivery is of another broker")
        return (
            tag.connection_generation == self._connection_generation
            and tag.number in self._out
            and tag.number not in self._settling
        )

    def _post(self, delivery: Delivery, *posts: Post) -> None:
        number = _number(delivery)
        self._settling.add(number)
        self._outbox.append(PendingSettlement(delivery, number, posts))

    def _send_when_all_is_decided(self) -> None:
        if len(self._settling) == len(self._out):
            self._send()

    def _send(self) -> None:
        if self._outbox and not self._woken and self._session is not None:
            self._woken = True
            self._session.wake()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _raise_if_unavailable(self) -> None:
        if self._closing.is_set():
            return
        if self._blocked:
            raise self._endpoint.alarm(self._blocked)
        if self._unavailable is not None:
            raise (Unavailable if self._was_up else type(self._unavailable))(str(self._unavailable))

    def _complete_topology(self) -> None:
        """A queue went missing: declare again, unless only an operator may."""
        if self._incomplete and self._failure is None:
            self._incomplete = False
            self._try_repair()

    def _try_repair(self) -> None:
        if self._repair is not None:
            try:
                self._repair()
            except PostroomError as error:
                log.warning("topology_not_repaired", extra={"reason": str(error)})

    # -- the I/O thread: Owner

    def opened(self) -> None:
        """Connected, for the first time or again."""
        with self._changed:
            self._unavailable, self._was_up = None, True
            self._changed.notify_all()
        log.info("consumer_connected", extra={"queue": self.queue, "broker": str(self._endpoint)})

    def arrived(self, deliveries: Sequence[Delivery]) -> None:
        """Buffer them; while closing or resting, straight back."""
        with self._changed:
            if self._closing.is_set() or not self._awake.is_set():
                self._give_back(deliveries)
                return
            self._arrived.extend(deliveries)
            self._changed.notify_all()

    def late_deliveries(self, *, may_come: bool) -> None:
        """Redelivered messages are held, and the end waits, until the last has come."""
        with self._changed:
            self._late_deliveries = may_come
            self._changed.notify_all()

    def finished(self, numbers: Iterable[int]) -> None:
        """Forget them, and wake the thread that may wait for the last one."""
        with self._changed:
            for number in numbers:
                self._out.pop(number, None)
                self._settling.discard(number)
            self._unread = True
            if not self._settling:
                self._changed.notify_all()

    def failed(self, error: PostroomError) -> None:
        """Keep it; the worker's next call raises it."""
        with self._changed:
            self._failure = self._failure or error
            self._incomplete = self._incomplete or isinstance(error, Unroutable)
            self._changed.notify_all()

    def blocked(self, reason: str) -> None:
        """Nothing is handed out while nothing can be published."""
        with self._changed:
            self._blocked = reason
            self._changed.notify_all()

    def synced(self) -> None:
        """The acknowledgements have arrived."""
        with self._changed:
            self._unread = False
            self._changed.notify_all()

    def outbox(self) -> Sequence[PendingSettlement]:
        """Empty it."""
        with self._changed:
            taken, self._outbox, self._woken = self._outbox, [], False
        return taken

    # -- the I/O thread: connecting

    def _keep_connected(self) -> None:
        while not self._stopping.is_set():
            try:
                session = self._connect()
            except PostroomError:
                break  # only `close` ends the attempts
            self._serve(session)
            self._stopping.wait(random.uniform(0.05, 0.2))  # noqa: S311  jitter

    def _serve(self, session: Session) -> None:
        try:
            session.run()
        except Exception as error:  # a bug must not end this thread: the worker would wait for ever
            log.exception("consumer_failed", extra={"queue": self.queue})
            self._dispose(session, Unavailable(f"the connection broke: {type(error).__name__}"))
        else:
            self._lost(session)

    def _connect(self) -> Session:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PostroomError),
            wait=tenacity.wait_random_exponential(multiplier=0.25, max=RECONNECT_MAX_SECONDS),
            stop=tenacity.stop_when_event_set(self._stopping),
            sleep=tenacity.sleep_using_event(self._stopping),
            before_sleep=self._log_retry,
            reraise=True,
        )
        return retrying(self._connect_once)

    def _connect_once(self) -> Session:
        self._awake.wait()  # one that rests connects at its next take, also when it was to rest while it connected
        if self._closing.is_set():
            raise Unavailable("the consumer is closed")
        session = self._new_session()
        try:
            session.open()
        except PostroomError as error:
            self._dispose(session, error)
            if isinstance(error, QueueMissing):
                self._try_repair()
            raise
        return session

    def _new_session(self) -> Session:
        """`close` finds it from here on, even while it connects."""
        with self._changed:
            self._connection_generation += 1
            session = Session(
                self._endpoint, self._names, self.queue, self.prefetch, self._timing, self, self._connection_generation
            )
            try:
                session.prepare()
            except PostroomError as error:
                self._unavailable = error
                raise
            self._session = session
        return session

    def _log_retry(self, state: tenacity.RetryCallState) -> None:
        if not self._awake.is_set():
            return
        error = state.outcome.exception() if state.outcome else None
        log.warning(
            "broker_unavailable", extra={"queue": self.queue, "attempt": state.attempt_number, "reason": str(error)}
        )

    def _lost(self, session: Session) -> None:
        error = session.reason()
        if self._awake.is_set() and not self._stopping.is_set():
            log.warning("connection_lost", extra={"queue": self.queue, "reason": str(error)})
        self._dispose(session, error)

    def _dispose(self, session: Session, error: PostroomError) -> None:
        """Forget all deliveries of this connection: the broker hands them out again."""
        with self._changed:
            if self._out:
                self._failure = self._failure or Unavailable(str(error))
            self._session, self._unavailable, self._blocked = None, error, ""
            self._woken = self._unread = self._late_deliveries = False
            for kept in (self._arrived, self._out, self._settling, self._outbox):
                kept.clear()
            self._connection_generation += 1
            self._changed.notify_all()
        session.dispose()

    @property
    def closed(self) -> bool:
        """It takes nothing more."""
        return self._closing.is_set()

    @property
    def held(self) -> int:
        """Deliveries that this consumer keeps from others."""
        with self._changed:
            return len(self._arrived) + len(self._out)


def _back_to_its_queue(delivery: Delivery) -> Post:
    """The copy for its own queue, with the number of earlier hand-outs in a header."""
    return Post(delivery.message, handed_out=delivery.count)


def _number(delivery: Delivery) -> int:
    tag = delivery.tag
    assert isinstance(tag, Tag)
    return tag.number
