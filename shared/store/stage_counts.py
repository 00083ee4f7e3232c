"""The `stage_counts` collection: how many messages each stage has handled, all processes together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.store.documents import Documents

COUNTS: Final = "stage_counts"


class StageCounts:
    """Counts messages by stage. A count that a crash loses is not made up for: rates are made of it, nothing else."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, counts: Mapping[str, int]) -> None:
        """Count more messages of some stages."""
        for stage, count in counts.items():
            self._documents.upsert(COUNTS, stage, {"$inc": {"handled": count}})

    def all(self) -> Mapping[str, int]:
        """The count of each stage that has handled something."""
        return {each["_id"]: int(each.get("handled", 0)) for each in self._documents.find(COUNTS, {})}
