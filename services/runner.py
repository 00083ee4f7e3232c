"""Runs the pipeline's stages and the sources in one process, and wires one app to its workers.

Reads the tables of `services.pipeline`; decides which parts have a thread of their own, what is processed first after
a crash, and when a single run is over. Separate from the tables, so that the tables stay short.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from services.parser.ahead import ReadingAhead
from services.pipeline import STAGES, addressees
from shared.app import App
from shared.contracts.errors import PostroomError
from shared.contracts.events import Event
from shared.intake import RawMail
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import INTAKE, PARKED, RETRY, Consumer, Depth, Message
from shared.runtime.envelope import carry, pack
from shared.runtime.hooks import Hook, Hooks
from shared.runtime.observe import JournalWriter, LogLines
from shared.runtime.pauses import PauseReader
from shared.runtime.stage import Stage
from shared.runtime.throughput import Throughput
from shared.runtime.worker import (
    DEPENDENCY_ERRORS,
    PREFETCH,
    Worker,
    WorkerDependencies,
    close_consumer,
    close_consumers,
    wait_until_available,
)

if TYPE_CHECKING:
    from services.fetcher.source import FetcherSource
    from services.fetcher.visit import FetchedMail
    from services.operator.mail.job_source import JobSource
    from services.schedule.source import ScheduleSource
    from shared.config.model import Inbox

log = logging.getLogger(__name__)

QUIET_SECONDS = 60.0
"""Time that `--once` waits for delayed retries."""
SETTLE_SECONDS = 1.0
BACKLOG_SECONDS = 2.0
"""Time that a queue which is not empty may take to hand out its first message."""
RELAY_PREFETCH = 64
"""Mails that go through the stages in one transaction, on the embedded default."""
NETWORK_SECONDS = 1.0
"""Time between two turns of the stages that talk to servers, while a single run works through a backlog on one file.

Each of their turns waits for the disk, and meanwhile no mail is worked on.
"""
IDLE_SECONDS, UNAVAILABLE_SECONDS = 0.05, 1.0
"""Pauses between two rounds: without work, and while a dependency is unavailable."""


def worker_dependencies(app: App, *hooks: Hook) -> WorkerDependencies:
    """The dependencies that all workers of this process share. `hooks` come after the journal and the log lines."""

    def pack_for_readers(event: Event, cause: Message, stage: str, index: int) -> Sequence[Message]:
        packed = partial(make, event, cause=cause, stage=stage, index=index, large=app.large_events)
        return [packed(to) for to in addressees(event)]

    make = carry if app.one_file else pack

    counting = Throughput(app.stage_counts.add)
    all_hooks = Hooks(JournalWriter(app.journal, app.clock), LogLines(partial(is_logged, app)), counting, *hooks)
    store = app.documents
    return WorkerDependencies(
        app.broker,
        pack_for_readers,
        store.batch,
        store.ping,
        all_hooks,
        store.look_ahead,
        pause_reader(app),
        all_prepared=app.one_file.open_relay if app.one_file else lambda: None,
    )


def pause_reader(app: App) -> PauseReader:
    """Says why an operator has paused a stage or source; None when it works."""
    return PauseReader(lambda: {stage: each.sentence for stage, each in app.pauses.current().items()})


def is_logged(app: App, mail_id: str) -> bool:
    """Whether the steps of a mail are logged: by the setting of the desk and that of the mail's inbox (TI-06)."""
    current = app.directory.current()
    silent = {inbox.name for inbox in current.inboxes if not inbox.log_events}
    if not (current.settings.log_events and silent):
        return current.settings.log_events
    mail = app.mails.get(mail_id) if mail_id else None
    return mail is None or mail.inbox not in silent


def build_fetcher(app: App, *hooks: Hook) -> FetcherSource:
    """The fetcher on an app's intake and configuration. `hooks` come after the log lines."""
    from services.fetcher.source import FetcherSource, Wiring

    def hand_over(arrivals: Sequence[FetchedMail]) -> None:
        app.intake.hand_over([RawMail(each.raw, each.inbox, source="mailbox") for each in arrivals])

    def stopped(inbox: Inbox, reason: str, id_: str) -> None:
        from services.operator.inbox.inbox_ticket import make_ticket

        make_ticket(app, inbox, reason, id_)

    def recovered(inbox: Inbox, ticket: str) -> None:
        from services.operator.inbox.inbox_ticket import note_recovery

        note_recovery(app, inbox, ticket)

    current = app.directory.current
    wiring = Wiring(
        hand_over,
        inboxes=lambda: current().inboxes,
        settings=lambda: current().settings,
        tokens=app.tokens.of,
        stopped=stopped,
        recovered=recovered,
        pause_reason=partial(pause_reader(app), "fetcher"),
        hooks=Hooks(LogLines(), *hooks),
    )
    return FetcherSource(app.documents, wiring, clock=app.clock)


def build_schedule(app: App, *hooks: Hook) -> Schedule:
    """The schedule of an app, and the jobs of its operators. `hooks` come after the log lines."""
    from services.operator.mail.job_source import JobSource
    from services.schedule.source import ScheduleSource

    all_hooks = Hooks(LogLines(), *hooks)
    by_clock = ScheduleSource(app, all_hooks, pause_reason=partial(pause_reader(app), "schedule"))
    return Schedule(by_clock, JobSource(app, all_hooks))


@dataclass(frozen=True, slots=True)
class Schedule:
    """What works by the clock, and beside it, in a thread of its own, what operators asked for (decision 0155)."""

    by_clock: ScheduleSource
    jobs: JobSource

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        part = BackgroundPart("jobs", self.jobs.run, stop)
        part.start()
        try:
            self.by_clock.run(stop)
        finally:
            stop.set()
            part.join()
        if part.error is not None:
            raise part.error

    def once(self) -> None:
        """Do what is due, and every job to its end."""
        self.by_clock.once()
        self.jobs.once()


class Source(Protocol):
    """A part that works by the clock and reads no queue."""

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""

    def once(self) -> object:
        """Do what is due now."""


SOURCES: Final[dict[str, Callable[..., Source]]] = {"fetcher": build_fetcher, "schedule": build_schedule}
"""Source → what makes it, given an app and hooks."""


class BackgroundPart(threading.Thread):
    """A stage or source in a thread of its own. An error in it stops the whole process: no part is missing unnoticed.

    `error` is what ended it, None when it ended in order.
    """

    def __init__(self, name: str, work: Callable[[threading.Event], None], stop: threading.Event) -> None:
        super().__init__(name=name)
        self._work, self._until = work, stop
        self.error: BaseException | None = None

    def run(self) -> None:
        """Work until `stop` is set, or until an error."""
        try:
            self._work(self._until)
        except BaseException as error:  # raised again by `run_all`, in its own thread
            self.error = error
            self._until.set()


def run_all(
    app: App,
    stop: threading.Event,
    *,
    once: bool = False,
    sources: bool = True,
    hooks: Sequence[Hook] = (),
    processes: int = 1,
) -> None:
    """Run all stages in one process, until `stop` is set; with `once` until the queues are empty.

    With more `processes`, others read the mails of a backlog ahead. Stages that talk to servers, and the sources, have
    threads of their own, so that a slow server delays no other part; a single run does one after the other. Raises what
    ended one of those threads.
    """
    dependencies = worker_dependencies(app, *hooks)
    stages = [each.on_demand(app) for each in STAGES.values()]
    local = [stage for stage in stages if not stage.waits_on_network]
    if app.one_file is None:
        drain_backlog(app, local, dependencies, stop)
    apart = [stage for stage in stages if stage.waits_on_network and not once]
    workers = [_worker(app, stage, dependencies, processes - 1) for stage in stages if stage not in apart]
    if app.one_file is not None:
        _start_readers(app, workers, local)
    parts = [BackgroundPart(stage.name, Worker(stage, dependencies).run, stop) for stage in apart]
    parts += _sources(app, stop, *hooks, once=once) if sources else []
    for part in parts:
        part.start()
    try:
        run_round_robin(app, workers, dependencies, stop, once=once)
    finally:
        stop.set()
        _close(app, [worker.consumer for worker in workers])
        for part in parts:
            part.join()
    if error := next((part.error for part in parts if part.error), None):
        raise error
    if app.one_file is not None:
        app.one_file.file.sync()


def _close(app: App, consumers: Sequence[Consumer]) -> None:
    if app.one_file is None:
        close_consumers(consumers)
        return
    for each in consumers:
        close_consumer(each)


def _worker(app: App, stage: Stage, dependencies: WorkerDependencies, readers: int) -> Worker:
    prefetch = RELAY_PREFETCH if app.one_file else PREFETCH
    if stage.queue == INTAKE and readers:
        return ReadingAhead(stage, dependencies, prefetch=prefetch, readers=readers)
    return Worker(stage, dependencies, prefetch=prefetch)


def _start_readers(app: App, workers: Sequence[Worker], stages: Sequence[Stage]) -> None:
    """Where many mails wait, every stage will be needed: the readers begin while the others are imported."""
    try:
        waiting = sum(depth.ready for depth in app.broker.depths() if depth.name == INTAKE)
        ahead = [worker for worker in workers if isinstance(worker, ReadingAhead) and not worker.is_paused()]
        if any(worker.start_readers(waiting) for worker in ahead):
            for stage in stages:
                stage.load()
    except DEPENDENCY_ERRORS:  # the workers themselves will wait for it
        return


def _sources(app: App, stop: threading.Event, *hooks: Hook, once: bool) -> list[BackgroundPart]:
    """The parts of the sources; in a single run they have done what is due instead."""
    made = {name: build(app, *hooks) for name, build in SOURCES.items()}
    if not once:
        return [BackgroundPart(name, source.run, stop) for name, source in made.items()]
    for source in made.values():
        source.once()  # nothing while it is paused
    return []


def drain_backlog(app: App, stages: Sequence[Stage], dependencies: WorkerDependencies, stop: threading.Event) -> None:
    """Process first what an earlier process left in the queues of RabbitMQ, one stage and one message at a time.

    It counts a delivery for each message that a process holds when it ends, and after five times all of them would be
    dead letters. The embedded broker needs none of this: it hands out alone what ended two processes.
    """
    try:
        ready = {depth.name: depth.ready for depth in app.broker.depths()}
        for stage in stages:
            if (most := ready.get(stage.queue)) and not dependencies.pause_reason(stage.name):
                Worker(stage, dependencies, prefetch=1).drain_backlog(most, BACKLOG_SECONDS, stop)
    except DEPENDENCY_ERRORS as error:  # the workers themselves will wait for it
        log.warning("backlog_not_drained", extra={"reason": str(error)})


def run_round_robin(
    app: App, workers: Sequence[Worker], dependencies: WorkerDependencies, stop: threading.Event, *, once: bool
) -> None:
    """Run one step of each worker in turn. A worker whose dependency is unavailable delays no other.

    A single run ends when all is quiet; it raises `Unavailable` when nothing moved for `QUIET_SECONDS`.
    """
    quiet, network_at = QuietTimer(QUIET_SECONDS), 0.0
    while not stop.is_set():
        if is_due := time.monotonic() >= network_at:
            network_at = time.monotonic() + NETWORK_SECONDS
        worked, error = run_one_round(app, workers, network_is_due=is_due)
        if worked:
            quiet.restart()
            continue
        if error is not None:
            if once and quiet.has_expired():
                raise error
            wait_until_available(dependencies, stop, [worker.consumer for worker in workers])
        elif once and quiet.is_over(_moving(app.broker.depths(), workers)):
            return
        stop.wait(IDLE_SECONDS if error is None else UNAVAILABLE_SECONDS)


def _moving(depths: Sequence[Depth], workers: Sequence[Worker]) -> list[Depth]:
    """The queues that are worked on: a single run does not wait for stages that are paused."""
    paused = {worker.stage.queue for worker in workers if worker.is_paused()}
    return [depth for depth in depths if depth.name not in paused]


def run_one_round(
    app: App, workers: Sequence[Worker], *, network_is_due: bool = True
) -> tuple[int, PostroomError | None]:
    """Run one step of each worker: how many deliveries were settled, and the error if a dependency is unavailable.

    Unless they are due, the stages that talk to servers have their turn once the others have nothing to do.
    """
    worked = 0
    working, unavailable = _working(workers)
    rounds, apart = _rounds(app, working)
    for together in rounds:
        try:
            own, all_ = _step_together(app, together)
        except DEPENDENCY_ERRORS as error:
            unavailable = error
            _rest(together)
            continue
        worked += all_
        if own:
            break
    for worker in apart if network_is_due or not worked else ():
        try:
            worked += worker.step(timeout=0)
        except DEPENDENCY_ERRORS as error:
            unavailable = error
    return worked, unavailable


def _rest(workers: Sequence[Worker]) -> None:
    """Give back what was taken, also ahead: it comes again in its order."""
    for worker in workers:
        with suppress(*DEPENDENCY_ERRORS):  # then at the next flush
            worker.rest()


def _step_together(app: App, together: Sequence[Worker]) -> tuple[int, int]:
    """One step of each, on one file: how many deliveries the first one settled, and all of them."""
    assert app.one_file is not None
    with app.one_file.relay():
        settled = [worker.step(timeout=0) for worker in together]
    return settled[0], sum(settled)


def _working(workers: Sequence[Worker]) -> tuple[list[Worker], PostroomError | None]:
    """The workers that no operator has paused, and the error if that cannot be said of one."""
    working, unavailable = list[Worker](), None
    for worker in workers:
        try:
            if not worker.is_paused():
                working.append(worker)
        except DEPENDENCY_ERRORS as error:
            unavailable = error
    return working, unavailable


def _rounds(app: App, workers: Sequence[Worker]) -> tuple[Sequence[Sequence[Worker]], Sequence[Worker]]:
    """The workers that step together, and those that step apart.

    Where messages are handed on in memory, each stage steps with all that follow it. The last stage begins, and while
    it finds messages in its own queue, which a pause or a crash has left there, the stages before it wait: so a mail
    whose message waits in a later queue stays ahead of those behind it.
    """
    if app.one_file is None:
        return [], workers
    chain = [worker for worker in workers if not worker.stage.waits_on_network]
    apart = [worker for worker in workers if worker.stage.waits_on_network]
    return [chain[place:] for place in reversed(range(len(chain)))], apart


class QuietTimer:
    """Decides when a single run is over: nothing is ready or held, and delayed messages were waited for long enough.

    The waiting for delayed messages adds up over the run: one that comes back and is delayed again gains no time.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self._since = seconds, time.monotonic()
        self._waited, self._looked = 0.0, self._since

    def restart(self) -> None:
        """Count anew: something moved."""
        self._since = self._looked = time.monotonic()

    def has_expired(self) -> bool:
        """Whether nothing has moved for too long."""
        return self._quiet_seconds() > self.seconds

    def is_over(self, depths: Sequence[Depth]) -> bool:
        """Whether to stop, given the queues as they are now.

        A broker that does not say what is unacknowledged may have messages in flight: then quiet has to last.
        """
        now = time.monotonic()
        idle, self._looked = now - self._looked, now
        work = [depth for depth in depths if depth.name not in (PARKED, RETRY)]
        if any(depth.ready or depth.unacked for depth in work):
            return False
        if any(depth.unacked is None for depth in work) and self._quiet_seconds() < SETTLE_SECONDS:
            return False
        delayed = next((depth for depth in depths if depth.name == RETRY and depth.ready), None)
        if delayed is None:
            return True
        self._waited += idle
        return self._waited + (delayed.next_seconds or 0.0) > self.seconds

    def _quiet_seconds(self) -> float:
        return time.monotonic() - self._since
