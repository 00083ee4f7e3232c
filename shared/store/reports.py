"""The `report_states` collection: which time of each report was the last that was dealt with, and what came of it."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Final

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents

COLLECTION: Final = "report_states"


@dataclass(frozen=True, slots=True)
class ReportState:
    """How far a report has come.

    Life: written when the schedule first sees the report, or another schedule of it, and after each time that it is
    due. `last_at` is the latest time that was dealt with, or since when it is watched; `sent_at` when it was sent last,
    with `records` records, to `recipients` mailboxes; `reason` why it could not be made the last time, else empty.
    """

    id: str = field(metadata=named("_id"))
    schedule: str
    last_at: datetime
    sent_at: datetime | None = None
    records: int = 0
    recipients: int = 0
    reason: str = ""


_encode, _decode = to_plain(ReportState, STORE), from_plain(ReportState, STORE)


class ReportStates:
    """Reads and writes the states."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def get(self, name: str) -> ReportState | None:
        """The state of one report; None when the schedule has not seen it yet."""
        found = self._documents.get(COLLECTION, name)
        return _decode(found) if found else None

    def keep(self, state: ReportState) -> None:
        """Store it."""
        self._documents.replace(COLLECTION, _encode(state))
