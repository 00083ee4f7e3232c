"""The one loop: take deliveries, decide each, settle each when the broker has confirmed what it caused."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, assert_never

import tenacity

from shared.contracts.errors import NewerVersion, PostroomError, Unavailable
from shared.contracts.events import Event
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import TIERS, Broker, Consumer, Delivery, Message, Unroutable
from shared.runtime.crash_points import crash_point
from shared.runtime.current_mail import current_mail
from shared.runtime.hooks import (
    Announced,
    Answer,
    Committed,
    Decided,
    Failed,
    Hooks,
    Outage,
    Retried,
    Round,
    Settled,
    Taken,
    claimed_mail_id,
)
from shared.runtime.outcome import Emit, Fail, Outcome, Retry, Wait
from shared.runtime.stage import Stage
from shared.store.documents import Batch, Job
from shared.text import shortened

log = logging.getLogger(__name__)

PREFETCH = 32
BACKOFF_SECONDS = TIERS
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0
"""Pause of a worker while a dependency is unavailable, doubling until it works again."""
MAX_REASON_CHARACTERS = 2000
"""Maximum length of a reason: it is sent in a header, and one frame holds all headers."""
GROUP_SECONDS = 0.5
GROUP_BYTES = 8 << 20
"""How long, and how much memory, is spent on preparing a part of what was taken before that part is decided."""
PAUSED_SECONDS = 0.5
"""How often a worker that an operator paused looks whether it is resumed."""
ROUND_SECONDS = 1.0
"""How often, at most, hooks are informed within a batch that the loop goes on."""
FUTURE_SECONDS = 3600
"""How long a message of a newer version waits for a newer worker, uncounted; then it becomes a dead letter."""

POSTPONED_SECONDS: Final = 0.05
"""How long deliveries that had to wait for others of their batch wait for new ones, with which they are a batch."""

DEPENDENCY_ERRORS = (Unavailable, Unroutable)
"""Raised by store or broker, not caused by a message: what is held goes back uncounted. A queue that was deleted is
declared again, by Postroom or by an operator."""

Pack = Callable[[Event, Message, str, int], Sequence[Message]]
"""(event, cause, stage, index) → the messages that carry it to whoever reads it."""
OpenBatch = Callable[[], AbstractContextManager[Batch | None]]
LookAhead = Callable[[Sequence[Job]], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class WorkerDependencies:
    """The dependencies of every worker. `probe` raises `Unavailable` while the store does not answer.

    `pause_reason` says why an operator has paused a stage, None when it works (`shared.runtime.pauses`). `all_prepared`
    is called before the last of what was taken is decided, when nothing of it is to be prepared any more.
    """

    broker: Broker
    pack: Pack
    batch: OpenBatch
    probe: Callable[[], None]
    hooks: Hooks = field(default_factory=Hooks)
    look_ahead: LookAhead = lambda _: nullcontext()
    pause_reason: Callable[[str], str | None] = lambda _stage: None
    all_prepared: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A delivery that was read: the event to handle, or an outcome when there is none, after `seconds`.

    `alone`: its handler runs on the store itself, because it may have run before.
    """

    delivery: Delivery
    event: Any = None
    outcome: Outcome | None = None
    seconds: float = 0.0
    alone: bool = False


class Worker:
    """One stage on one consumer. Hooks observe it, see `shared.runtime.hooks`."""

    def __init__(self, stage: Stage, dependencies: WorkerDependencies, *, prefetch: int = PREFETCH) -> None:
        self.stage, self.dependencies = stage, dependencies
        self.consumer: Consumer = dependencies.broker.consumer(stage.queue, prefetch)
        self._place = (stage.name, stage.queue)
        self._postponed: Sequence[Delivery] = ()
        self._taken_at, self._round_at = 0.0, time.monotonic()
        self._outage, self._pause = (Outage(dependencies.hooks, *self._place) for _ in range(2))

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then give back what is held and close in order."""
        pause = FIRST_PAUSE_SECONDS
        try:
            while not stop.is_set():
                try:
                    if self.is_paused():
                        stop.wait(PAUSED_SECONDS)
                        continue
                    pause = FIRST_PAUSE_SECONDS if self.step(timeout=0.5) else pause
                except DEPENDENCY_ERRORS:
                    stop.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                    wait_until_available(self.dependencies, stop, [self.consumer])
        finally:
            close_consumer(self.consumer)

    def is_paused(self) -> bool:
        """Whether an operator has paused the stage; then nothing is held. Raises as `step`."""
        self._goes_on(time.monotonic())
        reason = self.dependencies.pause_reason(self.stage.name)
        if reason is None:
            self._pause.end()
            return False
        self.rest()  # each time: while the broker is unavailable or blocked, nothing can be given back
        self._pause.begin(reason)
        return True

    def _goes_on(self, now: float) -> None:
        self._round_at = now
        self.dependencies.hooks(Round(self.stage.name))

    def _goes_on_with_next(self, began: float) -> None:
        """Within a batch, where each message may take long."""
        if began - self._round_at >= ROUND_SECONDS:
            self._goes_on(began)

    def rest(self) -> None:
        """Finish what was settled, and hold no message until the next `take`."""
        self._give_postponed_back()
        self.consumer.flush()
        self.consumer.rest()

    def step(self, timeout: float) -> int:
        """Take, decide and settle deliveries; return their number. On `Unavailable` all are given back, uncounted.

        Those that had to wait for others of their batch are in the next one.
        """
        try:
            new = self.take(min(timeout, POSTPONED_SECONDS) if self._postponed else timeout)
            deliveries, self._postponed = [*self._postponed, *new], ()
            self._postponed = self.work_on(deliveries)
        except DEPENDENCY_ERRORS as error:
            self._give_postponed_back()
            self._outage.begin(str(error), "unroutable" if isinstance(error, Unroutable) else "unavailable")
            raise
        self._outage.end()
        return len(deliveries)

    def _give_postponed_back(self) -> None:
        """And with them, by `give_back`, what a worker has taken ahead."""
        postponed, self._postponed = self._postponed, ()
        self.give_back(postponed)

    def take(self, timeout: float) -> Sequence[Delivery]:
        """Take the deliveries that have arrived, waiting up to `timeout` seconds for the first."""
        began = time.monotonic()
        deliveries = self.consumer.take(timeout)
        self._taken_at = time.monotonic()
        if deliveries:
            self.dependencies.hooks(Taken(*self._place, len(deliveries), self._taken_at - began))
        return deliveries

    def drain_backlog(self, most: int, timeout: float, stop: threading.Event) -> None:
        """Settle what was handed out before and never settled, up to the first message that was not; then close."""
        try:
            for _ in range(most):
                deliveries = () if stop.is_set() else self.take(timeout)
                self.work_on(deliveries)
                if not any(delivery.count for delivery in deliveries):
                    return
        finally:
            close_consumer(self.consumer)

    def work_on(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Prepare, decide and settle each. Returns those that have to wait for the next batch of the store."""
        if not deliveries:
            return ()
        crash_point("worker.taken")
        left = list(deliveries)
        try:
            while True:
                with self.look_ahead(left):
                    group, is_all = self.prepare_some(left)
                    if is_all:
                        self.dependencies.all_prepared()
                    answers, postponed = self.decide_all(group)
                left = [*postponed, *left[len(answers) + len(postponed) :]]
                self.settle_all(answers)
                if len(left) == len(postponed):
                    return left
                self.consumer.flush()
        except DEPENDENCY_ERRORS:
            self.give_back(left)
            raise

    def prepare_some(self, deliveries: Sequence[Delivery]) -> tuple[Iterable[Prepared], bool]:
        """The first few, prepared one by one without a lock of the store: what takes long or much memory ends them.

        Without preparation all of them, each read when it is handled. Also returns whether these are all.
        """
        if self.stage.prepare is None:
            return map(self.prepare, deliveries), True
        group, weight, until = list[Prepared](), 0, time.monotonic() + GROUP_SECONDS
        for delivery in deliveries:
            group.append(self.prepare(delivery))
            weight += self.stage.weight(group[-1].event) if group[-1].outcome is None else 0
            if weight > GROUP_BYTES or time.monotonic() > until:
                break
        return group, len(group) == len(deliveries)

    def look_ahead(self, deliveries: Sequence[Delivery]) -> AbstractContextManager[None]:
        """Read together what preparing these will ask for, where the store can do that."""
        look = self.stage.look_ahead
        if look is None:
            return nullcontext()
        return self.dependencies.look_ahead([partial(self.look, look, each.message) for each in deliveries])

    def look(self, look: Callable[[Any], None], message: Message) -> None:
        """Let the stage ask for what it will need for a message."""
        look(self.stage.decode(message))

    def decide_all(self, group: Iterable[Prepared]) -> tuple[Sequence[Answer], Sequence[Delivery]]:
        """Decide each, also those that have to run on the store itself; and those that wait for its next batch."""
        answers, left = self.decide_batch(group)
        while alone := [each for each in left if each.alone]:
            more, again = self.decide_batch(alone)
            answers += more
            left = [*(each for each in left if not each.alone), *again]
        return answers, [each.delivery for each in left]

    def decide_batch(self, group: Iterable[Prepared]) -> tuple[list[Answer], list[Prepared]]:
        """Decide these; what they write becomes durable together, and with it what a hook of the batch writes.

        Returns the answers, and what has to be decided again.
        """
        began = time.monotonic()
        with nullcontext() if self.stage.waits_on_network else self.dependencies.batch() as batch:
            group = group if batch is None else list(group)
            decided = self.decide_in(batch, group)
            self.dependencies.hooks(Decided(*self._place, list(decided.values())))
        crash_point("store.committed")
        again = batch.again if batch else {}
        answers = [answer for place, answer in decided.items() if place not in again]
        self.dependencies.hooks(Committed(*self._place, len(answers), time.monotonic() - began))
        self.announce([message for answer in answers for message in answer.messages if is_announcement(message)])
        return answers, [replace(each, alone=again[place]) for place, each in enumerate(group) if place in again]

    def decide_in(self, batch: Batch | None, group: Iterable[Prepared]) -> dict[int, Answer]:
        """The answers by place; a batch of the store may leave some out."""
        if batch is None:
            return dict(enumerate(map(self.decide, group)))
        group = list(group)
        alone = [place for place, each in enumerate(group) if each.alone]
        results = batch.run([partial(self.attempt, each) for each in group], alone)
        return {
            place: self.failed(group[place], result) if isinstance(result, Exception) else result
            for place, result in results.items()
        }

    def announce(self, messages: Sequence[Message]) -> None:
        """Publish for integrators; before settling, so that a crash in between repeats it instead of omitting it.

        The mail does not need it: an error is logged, and the work goes on.
        """
        if not messages:
            return
        began = time.monotonic()
        try:
            self.dependencies.broker.announce(messages)
        except DEPENDENCY_ERRORS:
            raise
        except Exception:
            log.exception("not_announced", extra={"stage": self.stage.name})
        else:
            self.dependencies.hooks(Announced(*self._place, len(messages), time.monotonic() - began))
        crash_point("worker.announced")

    def settle_all(self, answers: Sequence[Answer]) -> None:
        """Settle each. A call that raises has done nothing, so that one and those behind it go back."""
        for place, answer in enumerate(answers):
            try:
                self.settle(answer)
            except DEPENDENCY_ERRORS:
                self.give_back([each.delivery for each in answers[place:]])
                raise
            crash_point("worker.settled")

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Uncounted: nothing was wrong with these."""
        for delivery in deliveries:
            self.consumer.give_back(delivery)

    def prepare(self, delivery: Delivery) -> Prepared:
        """Read the message and let the stage prepare it; what cannot be read has its outcome."""
        began = time.monotonic()
        self._goes_on_with_next(began)
        token = current_mail.set(claimed_mail_id(delivery))
        try:
            event, outcome = self.read(delivery), None
        except Unavailable:
            raise
        except Exception as error:
            event, outcome = None, self.unread(delivery, error)
        finally:
            current_mail.reset(token)
        return Prepared(delivery, event, outcome, time.monotonic() - began, alone=delivery.count > 0)

    def read(self, delivery: Delivery) -> Any:
        """The argument of the stage's handler: the event, or the result of its `prepare`."""
        event = self.stage.decode(delivery.message)
        return self.stage.prepare(event, delivery.count > 0) if self.stage.prepare else event

    def unread(self, delivery: Delivery, error: Exception) -> Outcome:
        """The outcome of a message that could not be read or prepared."""
        if isinstance(error, NewerVersion):
            return _wait_for_upgrade(delivery.message, str(error))
        if isinstance(error, LookupError) and not isinstance(error, KeyError | IndexError):
            return Retry(str(error))  # a blob that is not there yet, or not any more
        return _failure(self.stage, delivery, error)

    def decide(self, prepared: Prepared) -> Answer:
        """The stage's answer and what follows. Every error becomes an answer, except an unavailable dependency."""
        try:
            return self.attempt(prepared)
        except Unavailable:
            raise
        except Exception as error:
            return self.failed(prepared, error)

    def attempt(self, prepared: Prepared) -> Answer:
        """The stage's answer and what follows. Raises what the handler raises."""
        delivery = prepared.delivery
        if prepared.outcome is not None:
            return Answer(delivery, prepared.outcome, (), prepared.seconds)
        began = time.monotonic()
        self._goes_on_with_next(began)
        token = current_mail.set(claimed_mail_id(delivery))
        try:
            outcome = self.stage.handle(prepared.event)
            crash_point("worker.decided")
            messages = self.pack_events(delivery, outcome)
        finally:
            current_mail.reset(token)
        return Answer(delivery, outcome, messages, prepared.seconds + time.monotonic() - began)

    def failed(self, prepared: Prepared, error: Exception) -> Answer:
        """The answer when the handler raised an error."""
        token = current_mail.set(claimed_mail_id(prepared.delivery))
        try:
            return Answer(prepared.delivery, _failure(self.stage, prepared.delivery, error), (), prepared.seconds)
        finally:
            current_mail.reset(token)

    def pack_events(self, delivery: Delivery, outcome: Outcome) -> Sequence[Message]:
        """The messages that carry what the stage emits; large ones are kept in the store first."""
        if not isinstance(outcome, Emit | Fail):
            return ()
        return [
            message
            for index, event in enumerate(outcome.events)
            for message in self.dependencies.pack(event, delivery.message, self.stage.name, index)
        ]

    def settle(self, answer: Answer) -> None:
        """Settle with the broker, which removes the delivery when everything that it caused is confirmed."""
        delivery, messages = answer.delivery, [each for each in answer.messages if not is_announcement(each)]
        match answer.outcome:
            case Emit():
                self.consumer.settle(delivery, messages)
                seconds = time.monotonic() - self._taken_at
                self.dependencies.hooks(Settled(*self._place, delivery.message.id, answer.mail_id, seconds))
            case Retry(reason) if delivery.message.attempt < len(BACKOFF_SECONDS):
                seconds = BACKOFF_SECONDS[delivery.message.attempt]
                self.consumer.redeliver(delivery, seconds)
                self.retried(answer, reason, seconds, counted=True)
            case Wait(reason, after):
                seconds = tier_for(after.total_seconds())
                self.consumer.wait(delivery, seconds)
                self.retried(answer, reason, seconds, counted=False)
            case Retry(reason):
                self.bury(answer, Fail(f"given up after {len(BACKOFF_SECONDS) + 1} attempts: {reason}"))
            case Fail() as failure:
                if messages:
                    self.dependencies.broker.publish(messages)
                self.bury(answer, failure)
            case _:
                assert_never(answer.outcome)

    def retried(self, answer: Answer, reason: str, seconds: float, *, counted: bool) -> None:
        """Inform the hooks that a message will be tried again."""
        id_ = answer.delivery.message.id
        self.dependencies.hooks(Retried(*self._place, id_, answer.mail_id, reason, seconds, counted))

    def bury(self, answer: Answer, failure: Fail) -> None:
        """Send the original message to the dead letters."""
        reason = shortened(failure.reason, MAX_REASON_CHARACTERS)
        self.consumer.bury(_with_mail_id(answer.delivery, failure), reason, self.stage.name)
        self.dependencies.hooks(Failed(*self._place, answer.delivery.message.id, answer.mail_id, reason))


def _failure(stage: Stage, delivery: Delivery, error: Exception) -> Fail:
    """The failure of a handler that raised, with the reason for the dead letter."""
    if isinstance(error, PostroomError):  # written for a person to read
        return Fail(str(error))
    log.error("stage_failed", exc_info=error, extra={"stage": stage.name, "message_id": delivery.message.id})
    return Fail(f"{type(error).__name__}: {error}")  # a bug, or a mail that triggers one: keep the message, go on


def _with_mail_id(delivery: Delivery, failure: Fail) -> Delivery:
    """The delivery with the mail id that the stage found and its message lacks."""
    message = delivery.message.with_headers(incident=int(failure.incident))
    mail_id = failure.mail_id or claimed_mail_id(delivery)
    return replace(delivery, message=replace(message, correlation_id=mail_id))


def _wait_for_upgrade(message: Message, reason: str) -> Outcome:
    """Wait for a newer worker, unless the message is too old or does not say when it was published."""
    published = message.headers.get("at")
    if isinstance(published, int) and time.time() - published < FUTURE_SECONDS:
        return Wait(reason, timedelta(seconds=TIERS[-1]))
    return Fail(reason)


def is_announcement(message: Message) -> bool:
    """Whether it goes to the events exchange: event names have a dot (`record.created`), work queues have none."""
    return "." in message.to


def tier_for(seconds: float) -> int:
    """The shortest tier that holds a message back for at least `seconds`, else the longest."""
    return next((tier for tier in TIERS if tier >= seconds), TIERS[-1])


def wait_until_available(
    dependencies: WorkerDependencies, stop: threading.Event, consumers: Sequence[Consumer]
) -> None:
    """Probe until the store answers, with growing pauses; nothing is taken meanwhile, and the consumers rest."""

    def rest(state: tenacity.RetryCallState) -> None:
        dependencies.hooks(Round(""))
        for consumer in consumers if state.attempt_number == 1 else ():
            consumer.rest()

    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Unavailable),
        wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=5.0, jitter=0.2),
        stop=tenacity.stop_when_event_set(stop),
        sleep=tenacity.sleep_using_event(stop),
        before_sleep=rest,
        reraise=True,
    )
    try:
        attempts(dependencies.probe)
    except Unavailable:
        log.info("stopped_while_unavailable")


def close_consumers(consumers: Sequence[Consumer]) -> None:
    """Close all at the same time: while the broker is frozen, each takes its whole time-out."""
    with ThreadPoolExecutor(max(1, len(consumers))) as pool:
        list(pool.map(close_consumer, consumers))


def close_consumer(consumer: Consumer) -> None:
    """Close; a broker that is unavailable by then hands out again what was held."""
    try:
        consumer.close()
    except Unavailable as error:
        log.warning("closed_unsettled", extra={"reason": str(error)})
