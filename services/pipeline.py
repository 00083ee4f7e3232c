"""The whole system as two tables: which stages exist, and which event goes to which queue."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import services.dead_letter.stage
import services.exporter.stage
import services.filter.stage
import services.notifier.stage
import services.parser.stage
import services.record_writer.stage
import services.sender_matcher.stage
from services.fetcher.source import FetcherSource, Wiring
from services.fetcher.visit import Arrival
from shared.app import App
from shared.contracts.errors import PostroomError
from shared.contracts.events import (
    Event,
    ExportWanted,
    IncidentWanted,
    MailAccepted,
    MailParsed,
    MailRejected,
    NotificationQueued,
    RecordChanged,
    SenderMatched,
)
from shared.intake import RawMail
from shared.runtime.broker import PARKED, RETRY, Depth, Message
from shared.runtime.envelope import pack
from shared.runtime.observe import Journal
from shared.runtime.stage import Stage
from shared.runtime.worker import AWAY, Worker, World, await_world, leave_all

log = logging.getLogger(__name__)

STAGES: Mapping[str, Callable[[App], Stage]] = {
    "parser": services.parser.stage.build,
    "filter": services.filter.stage.build,
    "sender-matcher": services.sender_matcher.stage.build,
    "record-writer": services.record_writer.stage.build,
    "exporter": services.exporter.stage.build,
    "notifier": services.notifier.stage.build,
    "dead-letter": services.dead_letter.stage.build,
}

ROUTES: Mapping[type[Event], str] = {
    MailParsed: "filter",
    MailAccepted: "sender-matcher",
    SenderMatched: "record-writer",
    IncidentWanted: "record-writer",
    NotificationQueued: "notifier",
    ExportWanted: "exporter",
}
"""Event → the queue that reads it."""

ANNOUNCED: Mapping[type[Event], Callable[[Event], str]] = {
    MailRejected: lambda _: "mail.rejected",
    RecordChanged: lambda event: f"record.{event.action}" if isinstance(event, RecordChanged) else "record.changed",
}
"""Event → its name on the events exchange, for integrators."""


def world(app: App) -> World:
    """What every worker of this process shares."""

    def messages_for(event: Event, cause: Message, stage: str, index: int) -> Sequence[Message]:
        packed = partial(pack, event, cause=cause, stage=stage, index=index, blobs=app.documents)
        return [packed(to) for to in _readers(event)]

    return World(app.broker, messages_for, app.documents.batch, Journal(app.documents, app.clock), app.documents.ping)


def _readers(event: Event) -> Sequence[str]:
    queue, announced = ROUTES.get(type(event)), ANNOUNCED.get(type(event))
    return [*([queue] if queue else []), *([announced(event)] if announced else [])]


QUIET_SECONDS = 60.0
"""How long `--once` waits for delayed retries."""
SETTLE_SECONDS = 1.0
LEAVINGS_SECONDS = 2.0
"""How long a queue that is not empty may take to hand out its first message."""
IDLE_SECONDS, AWAY_SECONDS = 0.05, 1.0


class Beside(threading.Thread):
    """A part that runs beside the others. What breaks it ends them all: no part of a process is missing in silence."""

    def __init__(self, name: str, work: Callable[[threading.Event], None], stop: threading.Event) -> None:
        super().__init__(name=name)
        self._work, self._until = work, stop
        self.error: BaseException | None = None

    def run(self) -> None:
        """Work until told to stop, or until it breaks."""
        try:
            self._work(self._until)
        except BaseException as error:  # told by `run_all`, in its own thread
            self.error = error
            self._until.set()


def run_all(app: App, stop: threading.Event, *, once: bool = False, fetch: bool = True) -> None:
    """All stages in one process, until `stop` is set; with `once` until the queues are empty.

    Stages that talk to servers, and the fetcher, have threads of their own, so that a slow server holds up nobody
    else; a single run does one after the other.
    """
    shared_world = world(app)
    stages = [build(app) for build in STAGES.values()]
    work_off_leavings(app, [stage for stage in stages if not stage.waits_on_network], shared_world, stop)
    apart = [stage for stage in stages if stage.waits_on_network and not once]
    workers = [Worker(stage, shared_world) for stage in stages if stage not in apart]
    runs: list[tuple[str, Callable[[threading.Event], None]]] = [
        (stage.name, Worker(stage, shared_world).run) for stage in apart
    ]
    if fetch:
        source = fetcher(app)
        if once:
            source.once()
        else:
            runs.append(("fetcher", source.run))
    threads = [Beside(name, run, stop) for name, run in runs]
    for thread in threads:
        thread.start()
    try:
        turn_about(app, workers, shared_world, stop, once=once)
    finally:
        stop.set()
        leave_all([worker.consumer for worker in workers])
        for thread in threads:
            thread.join()
    if broken := next((thread.error for thread in threads if thread.error), None):
        raise broken


def work_off_leavings(app: App, stages: Sequence[Stage], world_: World, stop: threading.Event) -> None:
    """What an earlier process left in the queues: one message at a time, one stage after the other.

    Should one kill this process too, it was alone in our hands: RabbitMQ counts a hand-out for whatever a process
    holds when it dies, and at the fifth death its neighbours would be dead letters as well.
    """
    try:
        ready = {depth.name: depth.ready for depth in app.broker.depths()}
        for stage in stages:
            if most := ready.get(stage.queue):
                Worker(stage, world_, prefetch=1).work_off_leavings(most, LEAVINGS_SECONDS, stop)
    except AWAY as error:  # the workers themselves will wait for it
        log.warning("leavings_not_settled", extra={"reason": str(error)})


def turn_about(app: App, workers: Sequence[Worker], world_: World, stop: threading.Event, *, once: bool) -> None:
    """Each worker in turn, as long as there is work. A worker whose world is away holds up no other.

    A single run ends when all is quiet; it raises `Unavailable` when nothing moved for `QUIET_SECONDS`.
    """
    patience, paused = Patience(QUIET_SECONDS), set[str]()
    while not stop.is_set():
        worked, away = turn(workers, paused)
        if worked:
            patience.renew()
            continue
        if away is not None:
            if once and patience.is_lost():
                raise away
            await_world(world_, stop, [worker.consumer for worker in workers])
        elif once and patience.is_over(app.broker.depths()):
            return
        stop.wait(IDLE_SECONDS if away is None else AWAY_SECONDS)


def turn(workers: Sequence[Worker], paused: set[str]) -> tuple[int, PostroomError | None]:
    """One step of each worker: how many deliveries were settled, and whether somebody's world is away.

    `paused` keeps the names of those whose world is away, so that an outage is told once.
    """
    worked = 0
    away: PostroomError | None = None
    for worker in workers:
        try:
            worked += worker.step(timeout=0)
            if worker.stage.name in paused:
                paused.remove(worker.stage.name)
                log.warning("worker_resumed", extra={"stage": worker.stage.name})
        except AWAY as error:
            if worker.stage.name not in paused:
                paused.add(worker.stage.name)
                log.warning("worker_paused", extra={"stage": worker.stage.name, "reason": str(error)})
            away = error
    return worked, away


class Patience:
    """When is a single run over? When nothing is ready or held, and delayed messages were waited for long enough.

    The waiting for delayed messages adds up over the run: one that comes back and is delayed again gains no time.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self._since = seconds, time.monotonic()
        self._waited, self._looked = 0.0, self._since

    def renew(self) -> None:
        """Something moved."""
        self._since = self._looked = time.monotonic()

    def is_lost(self) -> bool:
        """Whether nothing has moved for too long."""
        return self._still() > self.seconds

    def is_over(self, depths: Sequence[Depth]) -> bool:
        """Whether to stop, given the queues as they are now.

        A broker that does not say what is unacknowledged may have something under way: then quiet has to last.
        """
        now = time.monotonic()
        idle, self._looked = now - self._looked, now
        work = [depth for depth in depths if depth.name not in (PARKED, RETRY)]
        if any(depth.ready or depth.unacked for depth in work):
            return False
        if any(depth.unacked is None for depth in work) and self._still() < SETTLE_SECONDS:
            return False
        delayed = next((depth for depth in depths if depth.name == RETRY and depth.ready), None)
        if delayed is None:
            return True
        self._waited += idle
        return self._waited + (delayed.next_seconds or 0.0) > self.seconds

    def _still(self) -> float:
        return time.monotonic() - self._since


def fetcher(app: App) -> FetcherSource:
    """The fetcher on an app's door and configuration."""

    def hand_over(arrivals: Sequence[Arrival]) -> None:
        app.door.hand_over([RawMail(each.raw, each.inbox, None, each.envelope_from) for each in arrivals])

    current = app.directory.current
    wiring = Wiring(hand_over, inboxes=lambda: current().inboxes, settings=lambda: current().settings)
    return FetcherSource(app.documents, wiring, clock=app.clock)
