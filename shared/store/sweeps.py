"""The `sweeps` collection: how far each sweep has come, and when each queue was seen empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Final

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents

COLLECTION: Final = "sweeps"
_QUEUES: Final = "queues"
HELD_AT_MOST: Final = timedelta(hours=3)
"""The longest that a worker can hold a message unseen: RabbitMQ takes it back after 30 minutes, five times at most."""


@dataclass(frozen=True, slots=True)
class SweepState:
    """How far one sweep has come.

    Life: written after each step. `after` is the last id that was looked at, empty between two passes; `ended_at` is
    when a pass was last through; `removed` counts what all passes removed, `last_removed` what this or the last did.
    """

    id: str = field(metadata=named("_id"))
    after: str = ""
    ended_at: datetime | None = None
    removed: int = 0
    last_removed: int = 0


@dataclass(frozen=True, slots=True)
class EmptyQueues:
    """When queues were seen empty. `seen`: queue → a look; `settled`: queue → all messages of before are settled."""

    id: str = field(default=_QUEUES, metadata=named("_id"))
    seen: Mapping[str, datetime] = field(default_factory=dict)
    settled: Mapping[str, datetime] = field(default_factory=dict)

    def after_look(self, empty: Sequence[str], at: datetime) -> EmptyQueues:
        """What is known after another look.

        A broker does not always say what workers hold. A queue that is empty at two looks, further apart than a worker
        can hold a message, has none of those that were published before the first look.
        """
        proven = {name: self.seen[name] for name in empty if name in self.seen and at - self.seen[name] >= HELD_AT_MOST}
        begun = {name: at for name in empty if name not in self.seen or name in proven}
        return replace(self, seen={**self.seen, **begun}, settled={**self.settled, **proven})


_encode, _decode = to_plain(SweepState, STORE), from_plain(SweepState, STORE)
_encode_queues, _decode_queues = to_plain(EmptyQueues, STORE), from_plain(EmptyQueues, STORE)


class Sweeps:
    """Reads and writes the states."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def state(self, name: str) -> SweepState:
        """The state of one sweep."""
        found = self._documents.get(COLLECTION, name)
        return _decode(found) if found else SweepState(name)

    def keep(self, state: SweepState) -> None:
        """Store it."""
        self._documents.replace(COLLECTION, _encode(state))

    def queues(self) -> EmptyQueues:
        """When queues were seen empty."""
        found = self._documents.get(COLLECTION, _QUEUES)
        return _decode_queues(found) if found else EmptyQueues()

    def keep_queues(self, queues: EmptyQueues) -> None:
        """Store it."""
        self._documents.replace(COLLECTION, _encode_queues(queues))
