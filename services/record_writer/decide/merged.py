"""A record that was merged into another one: mails about it go there. Pure.

The permission is that of the merged record: whoever reached it was sent there by the desk.
"""

from __future__ import annotations

from dataclasses import replace
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


def redirected(target: Target, lookups: Lookups) -> Target:
    """The target, or the record that its record was merged into."""
    record = lookups.record(target.record_id) if target.kind == "update" and target.record_id else None
    if record is None or record.merged_into is None:
        return target
    found = survivor(record, lookups)
    return replace(target, record_id=found.id, why=f"{target.why}, which was merged into {found.number}")
