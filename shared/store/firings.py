"""The `firings` collection: what the clock caused, once each, and the events that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from typing import Final

from shared.contracts.events import Event, ServiceTargetReached
from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents
from shared.store.emitted import EmittedEvent, emitted

FIRINGS: Final = "firings"


@dataclass(frozen=True, slots=True)
class Firing:
    """Something that the clock caused: an event of a service level, or a report. Its id is derived from its cause.

    Life: written once, when all that it does is written, never changed, and removed after `settings.keep_journal`. A
    message that comes again finds it and emits the same events.
    """

    id: str = field(metadata=named("_id"))
    what: str
    at: datetime
    emitted: tuple[EmittedEvent, ...] = ()

    @property
    def events(self) -> tuple[Event, ...]:
        """The events that follow."""
        return tuple(each.event for each in self.emitted)


def firing_id(event: ServiceTargetReached) -> str:
    """The id of what this event causes: each event of a target has one, however often it is said."""
    return derived_id("service-level", event.record_id, event.sla, event.target, event.event)


_encode, _decode = to_plain(Firing, STORE), from_plain(Firing, STORE)


class Firings:
    """Keeps firings and finds one."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def get(self, id_: str) -> Firing | None:
        """One firing."""
        found = self._documents.get(FIRINGS, id_)
        return _decode(found) if found else None

    def keep(self, id_: str, what: str, at: datetime, events: Sequence[Event]) -> None:
        """Store a firing with the events that follow, once."""
        firing = Firing(id_, what, at, tuple(map(emitted, events)))
        self._documents.insert_many(FIRINGS, [_encode(firing)])

    def page(self, after: str, limit: int) -> Sequence[Firing]:
        """Firings behind an id, in the order of ids."""
        found = self._documents.find(FIRINGS, {"_id": {"$gte": after}}, sort=(("_id", 1),), limit=limit)
        return list(map(_decode, found))

    def remove(self, ids: Sequence[str]) -> None:
        """Remove firings."""
        if ids:
            self._documents.delete(FIRINGS, {"_id": {"$in": list(ids)}})
