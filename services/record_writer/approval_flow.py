"""Carry out what approvals decide together: move the record above on, and ask whoever decides next.

Runs after a verdict is committed, and reads the records as they are stored then: of two verdicts at the same time the
later one sees both. The record above is written conditionally, and the write stores the outcome, so it moves on once,
whatever crashes (PR-15); the ids of everything else are derived from the verdict's cause.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.record_writer.carry_out import Cause, Stores, queue_messages
from services.record_writer.decide.answers.outgoing import outgoing_about
from services.record_writer.decide.automation.approvals import (
    IN_ORDER,
    is_approval,
    plan_above,
    request_to,
    round_below,
)
from services.record_writer.decide.automation.business_rules import Occasion
from services.record_writer.decide.automation.consequences import settled
from services.record_writer.decide.lookups import Lookups
from shared.config.model import Configuration
from shared.contracts.change import Change
from shared.contracts.errors import Unavailable
from shared.contracts.events import Event, NotificationQueued, RecordChanged
from shared.ids import derived_id
from shared.runtime.crash_points import crash_point
from shared.store.outbox import QueuedFor
from shared.store.record import Record, pending_change

MAX_RACES: Final = 50
PART: Final = "above"
"""The part of a mail, or of an operator's change, under which the change of the record above is stored."""


def advance(
    record_id: str, cause: Cause, configuration: Configuration, lookups: Lookups, stores: Stores
) -> list[Event]:
    """Do what follows from the verdict on this record; return the events that follow. Safe to repeat."""
    record = stores.records.get(record_id)
    if record is None or record.parent is None or not is_approval(record):
        return []
    if change := _committed(record.parent, cause, configuration, lookups, stores):
        return _carried_out(change, cause, configuration, stores)
    return _ask_next(record.parent, cause, configuration, lookups, stores)


def _committed(
    parent_id: str, cause: Cause, configuration: Configuration, lookups: Lookups, stores: Stores
) -> Change | None:
    """The change of the record above that this cause has committed, now or at an earlier try; None for none."""
    for _ in range(MAX_RACES):
        parent = stores.records.get(parent_id)
        if parent is None:
            return None
        if found := pending_change(parent, cause.id, PART):
            return found
        change = plan_above(parent, round_below(parent, configuration, lookups), configuration)
        if change is None:
            return None
        change = replace(change, part=PART)
        change = settled(change, parent, Occasion(configuration, lookups, cause.at))
        if stores.records.commit(parent, change, cause.id, cause.at):
            crash_point("writer.committed")
            return change
    raise Unavailable(f"the record {parent_id} is being changed by too many workers at once")


def _carried_out(change: Change, cause: Cause, configuration: Configuration, stores: Stores) -> list[Event]:
    for index, activity in enumerate(change.activities):
        origin = f"{cause.id}/{PART}"
        stores.records.add_activity(change.record_id, origin, index, activity, cause.at, cause.mail_id or None)
        crash_point("writer.carried-out")
    sending = outgoing_about(stores.records.get(change.record_id), configuration)
    changed = RecordChanged(cause.mail_id, cause.inbox, change.event, change.type, change.number, change.record_id)
    return [changed, *queue_messages(change, replace(cause, outgoing=sending), stores)]


def _ask_next(
    parent_id: str, cause: Cause, configuration: Configuration, lookups: Lookups, stores: Stores
) -> list[Event]:
    """Ask whoever decides next, each owner of an approval once."""
    parent = stores.records.get(parent_id)
    round_ = round_below(parent, configuration, lookups)
    if parent is None or round_ is None or round_.rule.decide != IN_ORDER or round_.outcome:
        return []
    return [event for each in round_.turns for event in ask(each, parent, cause, configuration, lookups, stores)]


def ask(
    record: Record,
    parent: Record | None,
    cause: Cause,
    configuration: Configuration,
    lookups: Lookups,
    stores: Stores,
) -> list[Event]:
    """Queue the mail that asks for a decision; its id depends on the approval and its owner alone."""
    request = request_to(record, parent, configuration, lookups)
    if request is None:
        return []
    because = QueuedFor(cause.at, cause.mail_id or None, record.id, record.number)
    made = derived_id("approval", record.id, record.owner or "")
    sending = outgoing_about(parent or record, configuration)
    return [NotificationQueued(cause.mail_id, stores.outbox.add_once(made, 0, request, sending, because))]


def forget(record_id: str, cause: Cause, stores: Stores) -> None:
    """Remove what this cause has left pending on the record above."""
    record = stores.records.get(record_id)
    if record is not None and record.parent is not None:
        stores.records.forget(record.parent, cause.id)
