"""The whole system as two tables: which stages exist, and which event goes to which queue."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import services.dead_letter.stage
import services.filter.stage
import services.notifier.stage
import services.parser.stage
import services.record_writer.stage
import services.sender_matcher.stage
from services.fetcher.source import FetcherSource, Wiring
from services.fetcher.visit import Arrival
from shared.app import App
from shared.contracts.events import (
    Event,
    IncidentWanted,
    MailAccepted,
    MailParsed,
    MailRejected,
    NotificationQueued,
    RecordChanged,
    SenderMatched,
)
from shared.errors import Unavailable
from shared.intake import RawMail
from shared.runtime.broker import PARKED, RETRY, Depth, Message
from shared.runtime.observe import Journal
from shared.runtime.parcel import pack
from shared.runtime.stage import Stage
from shared.runtime.worker import Worker, World, await_world, leave

log = logging.getLogger(__name__)

STAGES: Mapping[str, Callable[[App], Stage]] = {
    "parser": services.parser.stage.build,
    "filter": services.filter.stage.build,
    "sender-matcher": services.sender_matcher.stage.build,
    "record-writer": services.record_writer.stage.build,
    "notifier": services.notifier.stage.build,
    "dead-letter": services.dead_letter.stage.build,
}

ROUTES: Mapping[type[Event], str] = {
    MailParsed: "filter",
    MailAccepted: "sender-matcher",
    SenderMatched: "record-writer",
    IncidentWanted: "record-writer",
    NotificationQueued: "notifier",
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
IDLE_SECONDS = 0.05


def run_all(app: App, stop: threading.Event, *, once: bool = False, fetch: bool = True) -> None:
    """All stages in one process, until `stop` is set; with `once` until the queues are empty.

    Stages that talk to servers have threads of their own; the others share this one, turn and turn about.
    """
    shared_world = world(app)
    stages = [build(app) for build in STAGES.values()]
    workers = [Worker(stage, shared_world) for stage in stages if not stage.waits_on_network]
    apart = [Worker(stage, shared_world) for stage in stages if stage.waits_on_network]
    source = fetcher(app) if fetch else None
    threads = [threading.Thread(target=worker.run, args=(stop,), name=worker.stage.name) for worker in apart]
    if source is not None and not once:
        threads.append(threading.Thread(target=source.run, args=(stop,), name="fetcher"))
    for thread in threads:
        thread.start()
    try:
        if source is not None and once:
            source.once()
        turn_about(app, workers, shared_world, stop, once=once)
    finally:
        stop.set()
        for worker in workers:
            leave(worker.consumer)
        for thread in threads:
            thread.join()


def turn_about(app: App, workers: Sequence[Worker], world_: World, stop: threading.Event, *, once: bool) -> None:
    """Each worker in turn, as long as there is work; `Unavailable` pauses them all."""
    patience = Patience(QUIET_SECONDS)
    while not stop.is_set():
        try:
            worked = sum(worker.step(timeout=0) for worker in workers)
            if not worked and once and patience.is_over(app.broker.depths()):
                return
        except Unavailable as error:
            log.warning("paused", extra={"reason": str(error)})
            await_world(world_, stop)
            continue
        if not worked:
            stop.wait(IDLE_SECONDS)


class Patience:
    """When is a single run over? When nothing is ready or held, and delayed retries were waited for long enough."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._since = seconds, time.monotonic()

    def is_over(self, depths: Sequence[Depth]) -> bool:
        """Whether to stop waiting, given the queues as they are now."""
        busy = any(depth.ready or depth.unacked for depth in depths if depth.name not in (PARKED, RETRY))
        delayed = any(depth.ready for depth in depths if depth.name == RETRY)
        if busy:
            self._since = time.monotonic()
        return not busy and (not delayed or time.monotonic() - self._since > self.seconds)


def fetcher(app: App) -> FetcherSource:
    """The fetcher on an app's door and configuration."""

    def hand_over(arrivals: Sequence[Arrival]) -> None:
        app.door.hand_over([RawMail(each.raw, each.inbox, None, each.envelope_from) for each in arrivals])

    current = app.directory.current
    wiring = Wiring(hand_over, inboxes=lambda: current().inboxes, settings=lambda: current().settings)
    return FetcherSource(app.documents, wiring, clock=app.clock)
