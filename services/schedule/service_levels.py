"""Events of service levels that are due: the schedule says so, the record writer decides what comes of it (TI-35).

Found by an index, on the time that each record stores. What was said in this process is not said again while the record
writer is on its way; another process, or this one after a restart, may say it once more: the record writer takes each
event once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.queues import RECORD_WRITER
from shared.contracts.events import ServiceTargetReached
from shared.runtime.broker import Message
from shared.runtime.envelope import pack
from shared.store.firings import firing_id

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.record import Record

STEP: Final = 500
"""Records that are looked at together."""


class ServiceLevelWatch:
    """Says which targets are near, and which have passed."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._said: dict[str, ServiceTargetReached] = {}

    def is_due(self, now: datetime) -> bool:
        """Whether there is something to say."""
        return next(self._new(now), None) is not None

    def work(self, now: datetime, go_on: Callable[[], bool]) -> None:
        """Say everything that is due, as long as `go_on`."""
        self._said = {id_: event for id_, event in self._said.items() if id_ in dict(self._due(now))}
        for id_, event in list(self._new(now)):
            if not go_on():
                return
            because = Message(id_, RECORD_WRITER, b"")
            message = pack(event, RECORD_WRITER, cause=because, stage="schedule", index=0, large=self._app.large_events)
            self._app.broker.publish([message])
            self._said[id_] = event

    def _new(self, now: datetime) -> Iterator[tuple[str, ServiceTargetReached]]:
        yield from ((id_, event) for id_, event in self._due(now) if id_ not in self._said)

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
    """The events of a record's targets that are due: of one target the last only, after a standstill."""
    level = record.service
    for target in level.targets if level else ():
        assert level is not None
        due = [event for event, at in level.moments(target) if at <= now]
        if due:
            yield ServiceTargetReached("", record.id, level.sla, target.kind, due[-1])
