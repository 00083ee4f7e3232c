"""The `stage_pauses` collection: which stages and sources a person has paused, who, when and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import Final

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents

PAUSES: Final = "stage_pauses"


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePause:
    """One pause of a stage, or of a source such as the fetcher.

    Life: written when a person pauses the stage; `resumed_at`, `resumed_by` and `resume_reason` are set when a person
    resumes it. A stage is paused while one of its pauses has no `resumed_at`. Nothing removes it.
    """

    id: str = field(metadata=named("_id"))
    stage: str
    at: datetime
    by: str
    reason: str
    resumed_at: datetime | None = None
    resumed_by: str | None = None
    resume_reason: str | None = None

    @property
    def sentence(self) -> str:
        """By whom it was paused, and why, without the time."""
        return f"paused by {self.by}" + (f": {self.reason}" if self.reason else "")


_encode, _decode = to_plain(StagePause, STORE), from_plain(StagePause, STORE)


class StagePauses:
    """Reads and writes pauses."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def begin(self, stage: str, *, at: datetime, by: str, reason: str) -> StagePause:
        """Store that a stage is paused from now on."""
        pause = StagePause(
            id=derived_id("pause", stage, at.isoformat(), by, reason), stage=stage, at=at, by=by, reason=reason
        )
        self._documents.insert(PAUSES, _encode(pause))
        return pause

    def end(self, stage: str, *, at: datetime, by: str, reason: str) -> bool:
        """Store that a stage works again; False when it was not paused."""
        ended = {"resumed_at": at, "resumed_by": by, "resume_reason": reason}
        open_ones = list(self._documents.find(PAUSES, {"resumed_at": None, "stage": stage}))
        where = [{"_id": each["_id"], "resumed_at": None} for each in open_ones]
        return sum(self._documents.update(PAUSES, each, {"$set": ended}) for each in where) > 0

    def current(self) -> Mapping[str, StagePause]:
        """The pauses in force, by stage; of several, the first."""
        found = self._documents.find(PAUSES, {"resumed_at": None}, sort=(("at", -1),))
        return {each.stage: each for each in map(_decode, found)}

    def recent(self, limit: int) -> Iterator[StagePause]:
        """Pauses, the newest first; `limit` 0 means all."""
        return map(_decode, self._documents.find(PAUSES, {}, sort=(("at", -1),), limit=limit))
