"""Records made and changed by an operator: planned like those of a mail, with activities like any other.

Reads names of fields and texts, writes the record, and publishes its event to the stages and listeners that read it.
Separate from the record writer, because no mail is the cause: there is no sender to answer, and no redelivery.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from services.record_writer.approval_flow import advance, forget
from services.record_writer.carry_out import Cause, queue_messages
from services.record_writer.decide.answers.outgoing import outgoing_about
from services.record_writer.decide.automation.approvals import approvals_below, is_pending
from services.record_writer.decide.automation.business_rules import Occasion
from services.record_writer.decide.automation.consequences import settled
from services.record_writer.decide.content.body import names_of
from services.record_writer.decide.record.life import event_of
from services.record_writer.decide.record.values import MIRRORED, PROPERTY, creation, mirrored, pairs, revision
from services.record_writer.stage import stores_of
from services.record_writer.store_lookups import StoreLookups
from shared.addresses import written_address
from shared.config.model import PEOPLE_TYPES, RecordType
from shared.contracts.change import PERSON_EMAIL, Activity, Change
from shared.contracts.errors import PostroomError
from shared.contracts.events import Event, RecordChanged
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import Message
from shared.runtime.worker import is_announcement
from shared.store.outbox import SendingSide
from shared.store.record import PARENT, Record, forwarding
from shared.typed import BadValue, typed

if TYPE_CHECKING:
    from shared.app import App

OPERATOR: Final = "operator"
SOURCE: Final = "Operator"
MAX_RACES: Final = 20
_LABELS: Final[Mapping[str, str]] = {column: name for name, column in PROPERTY.items()}


class InvalidEdit(PostroomError):
    """The edit is not possible; the message names the field and the remedy."""


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record that an operator wants created. `values` are pairs of field name and text."""

    subject: str = ""
    description: str = ""
    customer: str | None = None
    parent: Record | None = None
    values: tuple[tuple[str, str], ...] = ()


def create(app: App, type_: RecordType, new: NewRecord, *, by: str = OPERATOR) -> Record:
    """Make a record. Raises `InvalidEdit` for a field, status or value that the type does not have."""
    own, fields = values_of(type_, new.values)
    cause, now = uuid.uuid4().hex, app.clock.now()
    serial = app.records.next_serial(type_.name)
    properties: dict[str, Any] = {
        "subject": new.subject or "(no subject)",
        "description": new.description,
        "owner": None,
        "owner_team": None,
        "created_by": by,
        "source": SOURCE,
        "origin": None,
        "parent": new.parent.id if new.parent else None,
        **own,
    }
    change = creation(
        type_,
        cause,
        properties,
        number=f"{type_.prefix}{serial}",
        serial=serial,
        fields=pairs(fields),
        activities=(Activity("created", new.description or f"Created by {by}", by),),
        customer=new.customer,
    )
    change = settled(change, None, occasion(app, now))
    if not app.records.create_once(change, cause, now):
        raise InvalidEdit(f"the number {change.number} is taken; try again")
    if new.parent:
        app.records.link(cause, new.parent.id, "parent", now)
    return finish(app, change, cause, now)


def change(
    app: App, type_: RecordType, record_id: str, typed_values: Sequence[tuple[str, str]], *, by: str = OPERATOR
) -> Record:
    """Set fields of a record, whatever version it has; its activities list the differences. Raises `InvalidEdit`."""
    own, fields = values_of(type_, typed_values)
    for _ in range(MAX_RACES):
        record = app.records.get(record_id)
        if record is None:
            raise InvalidEdit("the record is gone")
        if record.deleted:
            raise InvalidEdit(f"{record.number} is deleted; first run: postroom records undelete {record.number}")
        planned = _planned(type_, record, own, fields, by)
        if not planned.activities:
            return record
        cause, now = uuid.uuid4().hex, app.clock.now()
        planned = settled(planned, record, occasion(app, now, by_desk=True))
        if app.records.commit(record, planned, cause, now):
            return finish(app, planned, cause, now)
    raise InvalidEdit("the record is being changed by others; try again")


def occasion(app: App, now: datetime, *, by_desk: bool = False) -> Occasion:
    """A change that no mail causes, for what follows from it. `by_desk`: somebody works on a record that exists."""
    configuration = app.directory.current()
    lookups = StoreLookups(stores_of(app), configuration.settings.plus_addressing)
    return Occasion(configuration, lookups, now, by_desk=by_desk)


def set_deleted(app: App, record_id: str, *, deleted: bool, by: str = OPERATOR) -> Record:
    """Hide a record from lists and mails, or show it again. Raises `InvalidEdit` when it is so already."""
    for _ in range(MAX_RACES):
        record = app.records.get(record_id)
        if record is None or bool(record.deleted) == deleted:
            raise InvalidEdit(
                "the record is gone" if record is None else f"{record.number} is {_state(record)} already"
            )
        word, event = ("Deleted", "deleted") if deleted else ("Undeleted", "updated")
        note = Activity("deleted" if deleted else "note", f"{word} by {by}", by)
        planned = revision(record, event, set=pairs({"deleted": deleted or None}), activities=(note,))
        cause, now = uuid.uuid4().hex, app.clock.now()
        planned = settled(planned, record, occasion(app, now, by_desk=True))
        if app.records.commit(record, planned, cause, now):
            return finish(app, planned, cause, now)
    raise InvalidEdit("the record is being changed by others; try again")


def merge(app: App, record_id: str, into_id: str, *, by: str = OPERATOR) -> Record:
    """Close a record and send mails about it to another one, whose participants its own become (TI-31).

    Approvals below it that are still to be decided decide about the other one (VF-18).

    Returns the other one. Raises `InvalidEdit` when one of them is gone, deleted or merged already, or of another type.
    """
    record, into = app.records.get(record_id), app.records.get(into_id)
    if record is None or into is None or record.id == into.id or record.type != into.type:
        raise InvalidEdit("name two different records of one type")
    if gone := next((each for each in (record, into) if each.deleted or each.merged_into), None):
        raise InvalidEdit(f"{gone.number} is deleted or merged already")
    type_ = app.directory.current().type_named(record.type)
    closed = {"status": type_.statuses.closed[0]} if type_ and type_.statuses.closed else {}
    customer = app.people.get(record.customer) if record.customer else None
    copied = dict.fromkeys((*into.copied, *record.copied, *(customer.addresses if customer else ())))
    _commit(app, into, {"copied": list(copied)}, f"{record.number} was merged into this record by {by}", by)
    _move_approvals(app, record, into, by)
    _commit(app, record, {"merged_into": into.id, **closed}, f"Merged into {into.number} by {by}", by)
    app.records.link(record.id, into.id, "merged_into", app.clock.now())
    return app.records.get(into_id) or into


def _move_approvals(app: App, record: Record, into: Record, by: str) -> None:
    """Put pending approvals below another record: linked first, since a link without the property counts nothing."""
    now = app.clock.now()
    lookups = occasion(app, now).lookups
    for each in approvals_below(record, lookups):
        if is_pending(each, app.directory.current()):
            app.records.link(each.id, into.id, PARENT, now)
            _commit(app, each, {"parent": into.id}, f"Moved from {record.number} to {into.number} by {by}", by)


def _commit(app: App, record: Record, own: Mapping[str, Any], text: str, by: str) -> None:
    """Set properties on this version of a record. Raises `InvalidEdit` when it has a newer one."""
    event = "closed" if "merged_into" in own else "updated"
    planned = revision(record, event, set=pairs(own), activities=(Activity("note", text, by),))
    cause, now = uuid.uuid4().hex, app.clock.now()
    planned = settled(planned, record, occasion(app, now, by_desk=True))
    if not app.records.commit(record, planned, cause, now):
        raise InvalidEdit("the record is being changed by others; try again")
    finish(app, planned, cause, now)


def _state(record: Record) -> str:
    return "deleted" if record.deleted else "not deleted"


def _planned(type_: RecordType, record: Record, own: Mapping[str, Any], fields: Mapping[str, Any], by: str) -> Change:
    seen = {"updated_by_mail": False} if record.updated_by_mail else {}
    return revision(
        record,
        event_of(type_, record.status, own.get("status")),
        set=pairs({**own, **seen, **forwarding(record, None, own)}),
        fields=pairs(fields),
        activities=tuple(_activities(record, own, fields, by)),
    )


def _activities(record: Record, own: Mapping[str, Any], fields: Mapping[str, Any], by: str) -> Iterator[Activity]:
    for column, value in own.items():
        if column not in MIRRORED.values() and (before := getattr(record, column)) != value:
            yield Activity(column, f"{_LABELS.get(column, column)}: {_shown(before)} → {_shown(value)}", by)
    for name, value in fields.items():
        if (before := record.fields.get(name)) != value:
            yield Activity("field", f"{name}: {_shown(before)} → {_shown(value)}", by)


def _shown(value: object) -> str:
    return "nothing" if value in {None, ""} else str(value)


def values_of(type_: RecordType, values: Sequence[tuple[str, str]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record's own properties and the fields of its type, as typed values. An empty text empties a field."""
    known = {**names_of(type_), "partition": "Partition"}
    named = [(known.get(name.strip().casefold(), ""), name, text) for name, text in values]
    if unknown := next((written for name, written, _ in named if not name or name == type_.number_field), None):
        fields = ", ".join(name for name in known.values() if name != type_.number_field)
        raise InvalidEdit(f"{type_.name} has no field {unknown!r} to set; it has {fields}")
    try:
        found = {value.name: value.value for value in typed(type_, [(name, text) for name, _, text in named])}
    except BadValue as error:
        raise InvalidEdit(str(error)) from None
    if type_.name in PEOPLE_TYPES and found.get(PERSON_EMAIL):
        found[PERSON_EMAIL] = _address(str(found[PERSON_EMAIL]))
    own = {PROPERTY[name]: found.pop(name) or None for name in PROPERTY if name in found}
    return {**own, **mirrored(found)}, found


def _address(text: str) -> str:
    """The address of a person without what programs write around it. Raises `InvalidEdit` for anything else."""
    address = written_address(text)
    if address is None:
        raise InvalidEdit(f"the field {PERSON_EMAIL} takes one address, such as jane@example.com, not {text!r}")
    return address


def finish(app: App, done: Change, cause: str, now: datetime) -> Record:
    """Write activities and mail of rules, publish events, and return the record as stored."""
    for index, activity in enumerate(done.activities):
        app.records.add_activity(done.record_id, cause, index, activity, now, None)
    record = app.records.get(done.record_id)
    assert record is not None  # it was written just before
    if record.person:
        app.people.follow(record)
    sending = outgoing_about(record, app.directory.current()) if done.messages else SendingSide()
    because = Cause("", "", now, sending, cause)
    queued = queue_messages(done, because, stores_of(app))
    queued += advance(done.record_id, because, app.directory.current(), occasion(app, now).lookups, stores_of(app))
    app.records.forget(done.record_id, cause)
    forget(done.record_id, because, stores_of(app))
    publish(app, [RecordChanged("", "", done.event, done.type, done.number, done.record_id), *queued], cause)
    return replace(record, pending=tuple(each for each in record.pending if each.mail_id != cause))


def publish(app: App, events: Sequence[Event], cause: str) -> None:
    """Publish events, as if a stage had emitted them."""
    from services.runner import worker_dependencies

    pack, because = worker_dependencies(app).pack, Message(cause, OPERATOR, b"")
    messages = [each for index, event in enumerate(events) for each in pack(event, because, OPERATOR, index)]
    if work := [message for message in messages if not is_announcement(message)]:
        app.broker.publish(work)
    if announcements := [message for message in messages if is_announcement(message)]:
        app.broker.announce(announcements)
