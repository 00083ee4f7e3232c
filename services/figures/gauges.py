"""Gauges that are read from store and broker, by one process only: two that report the same count would be added up.

The process that runs the schedule reads them while it holds a lease (decision 0165); of several, one does. They are
read every `READ_SECONDS`, not at each scrape, so that scrapes cost the store nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.figures import declarations as figures
from services.operator.health.conservation import check
from services.operator.health.queues import queue_states
from services.operator.health.stages import stage_of_queue
from services.operator.inbox.canaries import canary_views
from services.operator.inbox.credential_ends import credential_end
from services.queues import QUEUES
from shared.contracts.errors import PostroomError, Unavailable
from shared.runtime.broker import DEAD_LETTER, PARKED
from shared.runtime.lease import Leases
from shared.store.dead_letters import LetterQuery
from shared.store.inbox_states import InboxState, InboxStates
from shared.store.mails import IN_FLIGHT, MailQuery
from shared.store.outbox import STATES

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from services.figures.declarations import Figure
    from shared.app import App

log = logging.getLogger(__name__)

LEASE: Final = "figures"
READ_SECONDS: Final = 15.0

Sample = tuple["Figure", tuple[str, ...], float]


class StoreGauges(Collector):
    """The gauges that were read last; none while another process reads them, or store or broker do not answer."""

    def __init__(self, app: App, registry: CollectorRegistry, leases: Leases | None = None) -> None:
        self._app, self._leases = app, leases or Leases(app.documents)
        self._samples: tuple[Sample, ...] = ()
        registry.register(self)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The families, without samples."""
        return [_family(each) for each in figures.FIGURES if each.from_store]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families that have samples."""
        families: dict[str, GaugeMetricFamily] = {}
        for figure, labels, value in self._samples:
            families.setdefault(figure.short, _family(figure)).add_metric(labels, value)
        yield from families.values()

    def run(self, stop: threading.Event) -> None:
        """Read while the lease is held, until `stop` is set."""
        while not stop.is_set():
            try:
                if (lease := self._leases.acquire(LEASE)) is not None:
                    with lease:
                        while not stop.is_set() and lease.held():
                            self.read()
                            stop.wait(READ_SECONDS)
            except PostroomError as error:
                log.warning("figures_not_read", extra={"reason": str(error)})
            self._samples = ()
            stop.wait(READ_SECONDS)

    def read(self) -> None:
        """Read all of them now. Raises `Unavailable`."""
        self._samples = tuple(samples(self._app))


def _family(figure: Figure) -> GaugeMetricFamily:
    return GaugeMetricFamily(figure.name, figure.help, labels=figure.labels)


def samples(app: App) -> Iterator[Sample]:
    """Every gauge of store and broker. Raises `Unavailable`."""
    yield figures.IN_FLIGHT, (), app.mails.count(IN_FLIGHT)
    yield figures.DIFFERENCE, (), check(app).difference
    yield from _queues(app)
    for queue in QUEUES.names:
        stage = stage_of_queue(queue) or queue
        yield figures.DEAD_LETTERS, (stage,), app.dead_letters.count(LetterQuery("open", queue=queue))
    for state in STATES:
        yield figures.OUTBOX, (state,), app.outbox.count(state)
    yield from _configured(app)


def _queues(app: App) -> Iterator[Sample]:
    for each in queue_states(app):
        yield figures.QUEUE_MESSAGES, (each.name, "ready"), each.ready
        if each.unacked is not None:
            yield figures.QUEUE_MESSAGES, (each.name, "unacknowledged"), each.unacked
        if each.consumers is not None and each.name in QUEUES.names:
            yield figures.QUEUE_CONSUMERS, (each.name,), each.consumers
        if each.oldest_seconds is not None or not each.ready:
            yield figures.QUEUE_AGE, (each.name,), each.oldest_seconds or 0.0
        if each.name == PARKED:
            yield figures.PARKED, (DEAD_LETTER,), each.ready


def _configured(app: App) -> Iterator[Sample]:
    """What is known of the inboxes of the configuration, where it can be read."""
    try:
        inboxes = app.directory.current().inboxes
    except Unavailable:
        raise
    except PostroomError:
        yield figures.APPLY_SUCCESS, (), 0
        return
    yield figures.APPLY_SUCCESS, (), 0 if app.directory.is_refused else 1
    states, now = InboxStates(app.documents, app.clock).all(), app.clock.now()
    for inbox in inboxes:
        label = (inbox.name,)
        polled = states.get(inbox.name, InboxState(inbox.name)).polled_at
        if inbox.enabled and inbox.protocol != "none":
            yield figures.INBOX_SUCCESS, label, polled.timestamp() if polled else 0.0
        waiting = app.mails.oldest(MailQuery(inbox.name, IN_FLIGHT))
        yield figures.INBOX_WAITING, label, (now - waiting.received_at).total_seconds() if waiting else 0.0
        if end := credential_end(inbox):
            yield figures.INBOX_CREDENTIAL, label, datetime.combine(end.day, time(), UTC).timestamp()
    yield from _canaries(app)


def _canaries(app: App) -> Iterator[Sample]:
    """The inboxes with a canary. A new one has no success until it is overdue, so that it does not fire at once."""
    for each in canary_views(app):
        assert each.inbox.canary is not None  # only these have a view
        label, back_at = (each.inbox.name,), each.state.back_at if each.state else None
        yield figures.CANARY_INTERVAL, label, each.inbox.canary.every.total_seconds()
        if back_at or each.is_overdue:
            yield figures.CANARY_SUCCESS, label, back_at.timestamp() if back_at else 0.0
