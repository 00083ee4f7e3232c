"""Commit a Change, then carry it out: every write is safe to repeat, and its id is derived from its cause.

The commit point is the insert or the conditional write of the record, which stores the Change under the mail id.
Whoever comes second, or again, finds the stored Change and carries that out; nothing is planned twice (PR-15).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.events import Event, NotificationQueued, RecordChanged
from shared.contracts.service import Change, Notification
from shared.errors import PostroomError, Unavailable
from shared.ids import derived_id
from shared.runtime.steps import step
from shared.store.documents import Document
from shared.store.outbox import Outbox
from shared.store.people import People
from shared.store.records import Records, search_keys

MAX_ACTIVITIES = 100
"""More than one part of a mail ever makes: places of activities on one record keep the order of the parts."""
MAX_RACES = 50
"""How often a version may move under one plan before the message waits for a calmer moment."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What is written to."""

    records: Records
    people: People
    outbox: Outbox


@dataclass(frozen=True, slots=True)
class Cause:
    """Because of which mail, in which inbox, when; and what the outbox needs to know of the sending side."""

    mail_id: str
    inbox: str
    at: datetime
    outgoing: Document


def commit_creation(change: Change, cause: Cause, desk: Desk) -> Change | None:
    """Insert the record with its Change. The stored one when somebody was here before; None when all is done."""
    if desk.records.create_once(new_record(change, cause), change, cause.mail_id):
        return change
    stored = desk.records.get(change.record_id)
    if stored is None:
        raise PostroomError(f"the number {change.number} is taken by another record")
    return desk.records.pending(stored, cause.mail_id, change.part)


def commit_update(
    record_id: str, part: str, plan: Callable[[Document], Change], is_over: Callable[[], bool], cause: Cause, desk: Desk
) -> Change | None:
    """Plan on the record as it stands and write it if it still stands so; else read and plan again.

    None when all is done: `is_over` is asked after the record was read, because the outcome is stored before the
    entry leaves. Who comes late sees the entry, or the outcome, or fails on the version.
    """
    for _ in range(MAX_RACES):
        record = desk.records.get(record_id)
        if record is None:
            raise PostroomError(f"the record {record_id} is gone")
        if stored := desk.records.pending(record, cause.mail_id, part):
            return stored
        if is_over():
            return None
        change = plan(record)
        if desk.records.commit(record, changed_properties(change, record, cause.at), change, cause.mail_id):
            return change
    raise Unavailable(f"the record {record_id} is being changed by too many at once")


def new_record(change: Change, cause: Cause) -> Document:
    """The document of a new record."""
    return {
        "_id": change.record_id,
        "type": change.type,
        "serial": change.serial,
        "number": change.number,
        "customer": change.customer,
        "updated_by_mail": False,
        **{value.name: value.value for value in change.set},
        "fields": {value.name: value.value for value in change.fields},
        "created_at": cause.at,
        "updated_at": cause.at,
    }


def changed_properties(change: Change, record: Document, at: datetime) -> Document:
    """What an update sets on the record's document."""
    changed = {value.name: value.value for value in change.set}
    if change.fields:
        fields = {**record.get("fields", {}), **{value.name: value.value for value in change.fields}}
        changed |= {"fields": fields, "keys": search_keys(change.type, fields)}
    return {**changed, "updated_at": at} if change.action != "none" else changed


def carry_out(change: Change, cause: Cause, desk: Desk) -> list[Event]:
    """Everything a committed Change asks for besides the record itself; the events that follow."""
    if change.person:
        desk.people.create_once(change.person, cause.at)
    if change.becomes_user:
        desk.people.make_user(change.becomes_user)
    for each in change.objects:
        _create_object(each, cause, desk)
    _write_activities(change, cause, desk)
    for link in change.links:
        desk.records.link(change.record_id, link.record_id, link.relationship, cause.at)
    if change.customer:
        _add_history(change, cause, desk)
    events: list[Event] = [_announcement(change, cause)] if change.action != "none" else []
    for subordinate in change.subordinates:
        events += _carry_out_below(change, subordinate, cause, desk)
    return [*events, *queue_notifications(change.notifications, change, cause, desk)]


def _create_object(change: Change, cause: Cause, desk: Desk) -> None:
    """The object that method 2 links to; its id is derived from what it is matched by, so two mails make one."""
    desk.records.create_once(new_record(change, cause), change, cause.mail_id)
    desk.records.forget(change.record_id, cause.mail_id)


def _write_activities(change: Change, cause: Cause, desk: Desk) -> None:
    origin, first = f"{cause.mail_id}/{change.part}", MAX_ACTIVITIES * int(change.part)
    for index, activity in enumerate(change.activities, start=first):
        desk.records.add_activity(change.record_id, origin, index, activity, cause.at, cause.mail_id)
        step("writer.carried-out")


def _add_history(change: Change, cause: Cause, desk: Desk) -> None:
    """The mail in the person's own history (IV-25)."""
    desk.records.documents.insert(
        "history",
        {
            "_id": derived_id("history", change.customer or "", cause.mail_id, change.record_id),
            "person_id": change.customer,
            "mail_id": cause.mail_id,
            "record_id": change.record_id,
            "type": change.type,
            "number": change.number,
            "event": change.event,
            "at": cause.at,
        },
    )
    step("writer.carried-out")


def _carry_out_below(parent: Change, change: Change, cause: Cause, desk: Desk) -> list[Event]:
    """A record below another one: its own insert, a link to the parent."""
    desk.records.create_once({**new_record(change, cause), "parent": parent.record_id}, change, cause.mail_id)
    desk.records.link(change.record_id, parent.record_id, "parent", cause.at)
    _write_activities(change, cause, desk)
    desk.records.forget(change.record_id, cause.mail_id)
    step("writer.carried-out")
    return [_announcement(change, cause)]


def _announcement(change: Change, cause: Cause) -> RecordChanged:
    return RecordChanged(cause.mail_id, cause.inbox, change.event, change.type, change.number, change.record_id)


def queue_notifications(notifications: Sequence[Notification], change: Change, cause: Cause, desk: Desk) -> list[Event]:
    """Put them into the outbox once; the events that tell the notifier."""
    facts = {
        **cause.outgoing,
        "at": cause.at,
        "mail_id": cause.mail_id,
        "record_id": change.record_id or None,
        "record": change.number or None,
    }
    made = derived_id("notifications", cause.mail_id, change.record_id, change.part)
    ids = [desk.outbox.add_once(made, index, each, facts) for index, each in enumerate(notifications)]
    if ids:
        step("writer.carried-out")
    return [NotificationQueued(cause.mail_id, id_) for id_ in ids]
