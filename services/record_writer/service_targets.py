"""Commit an event of a service level: the record's conditional write stores the Change, then it is carried out.

The same steps as for a mail (decision 0003): a redelivery finds the Change in `pending` and carries it out, or finds
the firing and emits its events. The id of the firing is derived from record, service level, target and event, so an
event happens once for each, however often the schedule says so. A rule that decides an approval when its time has
passed moves the record above on, as every verdict does (VF-18).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.record_writer.approval_flow import advance, forget
from services.record_writer.carry_out import Cause, Stores, carry_out
from services.record_writer.decide.answers.outgoing import outgoing_about
from services.record_writer.decide.automation.approvals import ASKED
from services.record_writer.decide.automation.business_rules import Occasion
from services.record_writer.decide.automation.consequences import settled
from services.record_writer.decide.automation.service_levels import due_in_words, reached
from services.record_writer.store_lookups import StoreLookups
from shared.config.model import Configuration
from shared.contracts.change import Change
from shared.contracts.errors import Unavailable
from shared.contracts.events import ServiceTargetReached
from shared.runtime.crash_points import crash_point
from shared.runtime.outcome import Emit, Outcome
from shared.store.firings import Firings, firing_id
from shared.store.outbox import SendingSide
from shared.store.record import Record, pending_change

MAX_RACES: Final = 50


def commit_target(
    event: ServiceTargetReached, configuration: Configuration, now: datetime, stores: Stores, firings: Firings
) -> Outcome:
    """Say once that a target is near or has passed, and let the rules act on it."""
    id_ = firing_id(event)
    if fired := firings.get(id_):
        stores.records.forget(event.record_id, id_)
        forget(event.record_id, Cause("", "", now, SendingSide(), id_), stores)
        return Emit(fired.events, note="happened before")
    for _ in range(MAX_RACES):
        record = stores.records.get(event.record_id)
        if record is None:
            return Emit(note="the record is gone")
        change = pending_change(record, id_, "0")
        if change is None:
            change = _planned(event, record, configuration, now, stores)
            if change is None:
                return Emit(note=f"{event.sla}/{event.target} of {record.number} is not {event.event}")
            if not stores.records.commit(record, change, id_, now):
                continue
            stores.barrier()
            crash_point("writer.committed")
        cause = Cause("", record.inbox or "", now, outgoing_about(record, configuration), id_)
        return _carried_out(change, cause, configuration, stores, firings)
    raise Unavailable(f"the record {event.record_id} is being changed by too many workers at once")


def _planned(
    event: ServiceTargetReached, record: Record, configuration: Configuration, now: datetime, stores: Stores
) -> Change | None:
    lookups = StoreLookups(stores, configuration.settings.plus_addressing)
    target = record.service.target(event.target) if record.service else None
    due = due_in_words(target, configuration) if target else ""
    occasion = Occasion(configuration, lookups, now, sla=event.sla, target=event.target, due=due)
    change = reached(record, event, occasion)
    return settled(change, record, occasion) if change else None


def _carried_out(
    change: Change, cause: Cause, configuration: Configuration, stores: Stores, firings: Firings
) -> Outcome:
    """Carry the change out, keep the firing with its events, and remove the pending entries."""
    events = carry_out(change, cause, stores)
    stores.barrier()
    if change.type in ASKED:
        lookups = StoreLookups(stores, configuration.settings.plus_addressing)
        events += advance(change.record_id, cause, configuration, lookups, stores)
        stores.barrier()
    firings.keep(cause.key, change.why[0], cause.at, events)
    stores.barrier()
    crash_point("writer.outcome")
    stores.records.forget(change.record_id, cause.key)
    forget(change.record_id, cause, stores)
    return Emit(tuple(events), note=f"{change.number}: {change.why[0]}")
