"""Events of service levels that are due: the schedule publishes them, the record writer decides what follows (TI-35).

Found by an index, on the time that each record stores. This process publishes an event once while the record writer has
not handled it yet. Another process, or this one after a restart, may publish it again: the record writer takes each
event once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.queues import RECORD_WRITER
from services.schedule.publishing import publish
from shared.contracts.events import ServiceTargetReached
from shared.store.firings import firing_id

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.record import Record

STEP: Final = 500
"""Records that are looked at together."""


class ServiceLevelWatch:
    """Publishes which targets are near, and which have passed."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._published: dict[str, ServiceTargetReached] = {}

    def is_due(self, now: datetime) -> bool:
        """Whether there is an event to publish."""
        return any(id_ not in self._published for id_, _ in self._due(now))

    def work(self, now: datetime, go_on: Callable[[], bool]) -> None:
        """Publish everything that is due, as long as `go_on`."""
        due = dict(self._due(now))
        self._published = {id_: event for id_, event in self._published.items() if id_ in due}
        for id_, event in due.items():
            if id_ in self._published:
                continue
            if not go_on():
                return
            publish(self._app, event, RECORD_WRITER, cause=id_)
            self._published[id_] = event

    def _due(self, now: datetime) -> Iterator[tuple[str, ServiceTargetReached]]:
        """Every event that is due, by an id of its own."""
        skip = 0
        while records := self._app.records.with_target_until(now, STEP, skip):
            for record in records:
                yield from ((firing_id(event), event) for event in events_of(record, now))
            skip += len(records)
            if len(records) < STEP:
                return


def events_of(record: Record, now: datetime) -> Iterator[ServiceTargetReached]:
    """The events of a record's targets that are due: of one target only the last, when several have passed."""
    level = record.service
    for target in level.targets if level else ():
        assert level is not None
        due = [event for event, at in level.moments(target) if at <= now]
        if due:
            yield ServiceTargetReached("", record.id, level.sla, target.kind, due[-1])
