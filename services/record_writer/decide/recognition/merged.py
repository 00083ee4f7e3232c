"""A record that was merged into another one: mails about it go there. Pure.

The permission is that of the merged record: whoever reached it was sent there by the desk.
"""

from __future__ import annotations

from typing import Final

from services.record_writer.decide.lookups import Lookups
from shared.contracts.change import Target
from shared.store.record import Record

MAX_STEPS: Final = 10
"""Records that are followed, one after another."""


def survivor(record: Record, lookups: Lookups) -> Record:
    """The record that this one was merged into, however often; itself when it was not."""
    for _ in range(MAX_STEPS):
        found = lookups.record(record.merged_into) if record.merged_into else None
        if found is None:
            return record
        record = found
    return record


def update_of(record: Record, lookups: Lookups, step: str, why: str) -> Target:
    """The target of a mail that updates this record, or the one that it was merged into."""
    kept = survivor(record, lookups)
    if kept is not record:
        why = f"{why}; it was merged into {kept.number}"
    return Target("update", step, why, kept.id)
