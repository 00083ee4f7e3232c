"""Plan an update of an existing record: the new text, the fields, the status, the reply to the sender. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any, Final

from services.record_writer.decide.answers.automatic_mail import (
    CLOSED,
    TO_CUSTOMER,
    TO_HANDLER,
    keyword,
)
from services.record_writer.decide.answers.desk_answer import desk_answer
from services.record_writer.decide.answers.wording import command_answer_about, message, reply, values_of
from services.record_writer.decide.content.body import Block
from services.record_writer.decide.content.shown_text import shown_text
from services.record_writer.decide.facts import UNSPECIFIED, Facts, as_attached, author_on
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Part
from services.record_writer.decide.people.participants import joining
from services.record_writer.decide.recognition.hint import in_subject
from services.record_writer.decide.record import values
from services.record_writer.decide.record.create import tasks_below
from services.record_writer.decide.record.life import Step, event_of, is_handled, quick_action_for, step_of
from services.record_writer.decide.record.reopen import assignee_after_reopening
from shared.addresses import address_key
from shared.config.model import APPROVAL, INCIDENT, RecordType
from shared.contracts.change import Activity, Change, NoteAbove, Notification
from shared.contracts.errors import PostroomError
from shared.lazy_dataclass import dataclass
from shared.mail_text.variables import for_strangers
from shared.store.people import StoredPerson
from shared.store.record import Record, forwarding
from shared.typed import BadValue

WORKING: Final = "Active"
NOBODY: Final = "nothing"
MAX_TEAM: Final = 20
"""People of a team who get a mail about an update."""
MOVES: Final = {"Status": "status", "Owner": "owner", "OwnerTeam": "owner_team"}
"""Names of fields → the kind of the note that says how one changed."""


def plan_update(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """The Change that this part makes to its current record. Raises `BadValue`, or `PostroomError` when the
    record or its type does not exist any more.
    """
    record, type_ = record_of(part), type_of(facts, part)
    step = step_of(facts, type_, record)
    if refused_or_noted := WITHOUT_REPLY.get(step):
        return refused_or_noted(facts, lookups, part)
    given = _given(step, facts, type_, part)
    answered, written = desk_answer(facts, lookups, type_, part), email_activities(facts, lookups, part)
    edit = RecordEdit(
        given=given,
        activities=(answered.shown_by(written) if answered else written) + moves(facts, lookups, record, given),
        notifications=(
            *_reply(facts, lookups, type_, replace(record, **_own(given)), not_set=not_set(facts, part)),
            *(answered.notifications if answered else _message_to_customer(facts, lookups, type_, record)),
            *_messages_to_handlers(facts, lookups, type_, record),
        ),
    )
    return changed(facts, lookups, part, event_of(type_, record.status, given.get("Status")), edit)


def record_of(part: Part) -> Record:
    """The record that the part is about. Raises `PostroomError` when it is gone."""
    if part.record is None:
        raise PostroomError(f"the record {part.target.record_id} is gone")
    return part.record


def type_of(facts: Facts, part: Part) -> RecordType:
    """The type of that record. Raises `PostroomError` when it is gone."""
    name = record_of(part).type
    type_ = facts.configuration.type_named(name)
    if type_ is None:
        raise PostroomError(f"the record type {name!r} is gone")
    return type_


def _stated(facts: Facts, type_: RecordType, block: Block) -> dict[str, Any]:
    """The fields of the body; a record of another type than the inbox's has no part in its body language."""
    return values.on_update(type_, block.fields) if type_.name == facts.inbox.processor else {}


def _given(step: Step, facts: Facts, type_: RecordType, part: Part) -> dict[str, Any]:
    """The fields that the mail sets on its record. Raises `BadValue`."""
    record, stated = record_of(part), _stated(facts, type_, part.block)
    check_approver(facts, record, stated)
    match step:
        case "quick-action":
            quick = quick_action_for(facts, record)
            return {**stated, **(values.commanded(type_, quick.set) if quick else {})}
        case "work-again":
            return {**_worked_on(type_), **stated}
        case "reopen":
            return {**_worked_on(type_), **assignee_after_reopening(facts, type_), **stated}
    return stated


def _worked_on(type_: RecordType) -> dict[str, Any]:
    """The status of a record that is worked on again."""
    states = type_.statuses.open
    return {"Status": WORKING if WORKING in states else states[0]} if states else {}


def _refused_as_closed(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """A closed record stays as it is; its sender gets a notice whatever the auto-reply switch says (VF-13)."""
    record, type_ = record_of(part), type_of(facts, part)
    notice = about_record(facts, lookups, "already-closed", type_, record, CLOSED)
    why = f"{record.number} is closed and takes no updates"
    return unchanged(facts, part, notice, why)


def _noted_on_closed(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """A closed record stays closed and gets the mail as a note (VF-13)."""
    record, type_ = record_of(part), type_of(facts, part)
    given = {name: value for name, value in _stated(facts, type_, part.block).items() if name != "Status"}
    edit = RecordEdit(
        given=given,
        activities=email_activities(facts, lookups, part),
        notifications=(
            *about_record(facts, lookups, "closed-updated", type_, record, CLOSED),
            *_messages_to_handlers(facts, lookups, type_, record),
        ),
    )
    return changed(facts, lookups, part, "updated", edit)


def check_approver(facts: Facts, record: Record, given: Mapping[str, Any]) -> None:
    """Raises `BadValue` when anybody but its owner gives an approval away: the owner alone decides it (VF-18)."""
    if record.type == APPROVAL and "Owner" in given and facts.sender.person_id != record.owner:
        raise BadValue(f"only the owner of {record.number} gives it to another one by mail")


@dataclass(frozen=True, slots=True)
class RecordEdit:
    """What a mail changes on its record, and what is said about it."""

    given: Mapping[str, Any] = field(default_factory=dict)
    """Names of fields and their values."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the record that no field names."""
    activities: tuple[Activity, ...] = ()
    notifications: tuple[Notification, ...] = ()
    above: NoteAbove | None = None


def changed(facts: Facts, lookups: Lookups, part: Part, event: str, edit: RecordEdit) -> Change:
    """The Change that this mail makes to its record."""
    record = record_of(part)
    own, fields = values.split(edit.given, lookups)
    own |= edit.properties
    own["updated_by_mail"] = not is_handled(facts, record)
    own |= joining(facts, record, part.target.step) if part.target.kind == "update" else {}
    own |= forwarding(record, facts.sender.person_id, own)
    return values.revision(
        record,
        event,
        action="update",
        set=values.pairs(own),
        fields=values.pairs(fields),
        activities=edit.activities,
        notifications=edit.notifications,
        customer=facts.sender.person_id,
        subordinates=_tasks(facts, part, edit.activities) if part.target.kind != "command" else (),
        why=(part.target.why, *facts.remarks),
        above=edit.above,
        part=str(part.number),
    )


def unchanged(facts: Facts, part: Part, answer: tuple[Notification, ...], why: str) -> Change:
    """The Change that leaves the record as it is: an answer alone."""
    return values.revision(
        record_of(part),
        "none",
        action="none",
        notifications=answer,
        customer=facts.sender.person_id,
        why=(part.target.why, why, *facts.remarks),
        part=str(part.number),
    )


def refused_as_deleted(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """A deleted record stays as it is, and its sender is answered so."""
    record, type_ = record_of(part), type_of(facts, part)
    notice = about_record(facts, lookups, "already-deleted", type_, record, CLOSED)
    why = f"{record.number} is deleted and takes no updates"
    if part.target.kind == "command":
        notice = command_answer_about(facts, lookups, "already-deleted", type_, record)
    return unchanged(facts, part, notice, why)


def refused(facts: Facts, part: Part, answer: tuple[Notification, ...], why: str) -> Change:
    """The Change of a command that is not carried out: an answer alone."""
    return unchanged(facts, part, answer, f"{part.target.why}: {why}")


def _tasks(facts: Facts, part: Part, activities: tuple[Activity, ...]) -> tuple[Change, ...]:
    record = record_of(part)
    inherited = {"partition": record.partition, "logging_analyst": record.logging_analyst}
    return tasks_below(facts, record.type, part.number, inherited, activities[:1])


def email_activities(facts: Facts, lookups: Lookups, part: Part) -> tuple[Activity, ...]:
    """The mail as a note."""
    text = shown_text(facts, lookups, part)
    record, unknown = record_of(part), facts.sender.person_id is None
    withheld = not_set(facts, part)
    return as_attached(facts, text, author_on(facts, lookups, record.owner), anonymous=unknown, withheld=withheld)


def not_set(facts: Facts, part: Part) -> Sequence[str]:
    """The fields that the mail states for its record, and that its sender may not set by mail (IV-42)."""
    reads = record_of(part).type == facts.inbox.processor or part.target.kind == "command"
    return part.block.withheld if reads else ()


def moves(facts: Facts, lookups: Lookups, record: Record, given: Mapping[str, Any]) -> tuple[Activity, ...]:
    """Notes on changes of status, owner and team; by them it is known who had a record (VF-19). Raises `BadValue`."""
    own, _ = values.split({name: given[name] for name in MOVES if name in given}, lookups)
    moved = {each: (getattr(record, each), own[each]) for each in MOVES.values() if each in own}
    author = author_on(facts, lookups, record.owner)
    return tuple(
        Activity(kind, f"{name}: {before or NOBODY} → {after or NOBODY}", author, security_profile=UNSPECIFIED)
        for name, kind in MOVES.items()
        if kind in moved and (before := moved[kind][0]) != (after := moved[kind][1])
    )


def _own(given: Mapping[str, Any]) -> dict[str, Any]:
    return {values.PROPERTY[name]: value for name, value in given.items() if name in values.PROPERTY}


def _reply(
    facts: Facts, lookups: Lookups, type_: RecordType, record: Record, *, not_set: Sequence[str]
) -> tuple[Notification, ...]:
    """The reply to an update (VF-20): for calls by the inbox's switch, for all else always."""
    if record.type == INCIDENT and not facts.inbox.commands.reply_on_update:
        return ()
    return about_record(facts, lookups, "updated", type_, record, not_set=", ".join(not_set))


def about_record(
    facts: Facts, lookups: Lookups, name: str, type_: RecordType, record: Record, kind: str = "", **more: str
) -> tuple[Notification, ...]:
    """The answer of this name about a record, under the subject of the mail, which names the record.

    `more` are values of other variables.
    """
    named = any((hint.type, hint.serial) == (type_, record.serial) for hint in in_subject(facts))
    values, label = {**values_of(facts, lookups, type_, record), **more}, keyword(facts, type_, record.number)
    return reply(facts, name, values, kind=kind, label=label, is_named=named)


def _message_to_customer(facts: Facts, lookups: Lookups, type_: RecordType, record: Record) -> tuple[Notification, ...]:
    """What an analyst writes, for the customer, where the inbox wants it; not to one who has that mail already."""
    wanted = facts.inbox.commands.notify_customer_on_update and facts.is_analyst and facts.answers
    person = lookups.person(record.customer) if wanted and record.customer else None
    if person is None or not person.addresses or not facts.mail.new_text or person.id == facts.sender.person_id:
        return ()
    if {address_key(each.address) for each in (*facts.mail.to, *facts.mail.cc)} & set(person.addresses):
        return ()
    origin = lookups.mail(record.origin) if record.origin else None
    values, label = values_of(facts, lookups, type_, record), keyword(facts, type_, record.number)
    if not person.configured:  # whoever wrote the subject may be somebody else (PR-02)
        values = {**for_strangers(values), "subject": "New message", "reply_subject": f"Re: {label} New message"}
    values = {**values, "sender": facts.sender.name or "The service desk"}
    about = origin.message_id if origin else None
    return (message(facts, person, TO_CUSTOMER, "to-customer", values, label=label, in_reply_to=about),)


def _messages_to_handlers(
    facts: Facts, lookups: Lookups, type_: RecordType, record: Record
) -> tuple[Notification, ...]:
    """What somebody writes, for those who have the record, where the inbox wants it (VF-20); not for who has it."""
    if not (facts.inbox.commands.notify_handler_on_update and facts.answers):
        return ()
    has_it = {address_key(each.address) for each in (*facts.mail.to, *facts.mail.cc)}
    writers = {each.person_id for each in (facts.sender, facts.forwarder) if each}
    others = [
        each
        for each in _handlers(lookups, record)
        if each.addresses and each.id not in writers and has_it.isdisjoint(each.addresses)
    ]
    if not others:
        return ()
    values, label = values_of(facts, lookups, type_, record), keyword(facts, type_, record.number)
    return tuple(message(facts, each, TO_HANDLER, "to-handler", values, label=label) for each in others)


def _handlers(lookups: Lookups, record: Record) -> Sequence[StoredPerson]:
    """The analyst who has the record; without one the people of its team."""
    if record.owner:
        return tuple(filter(None, [lookups.person(record.owner)]))
    return lookups.group("teams", record.owner_team, MAX_TEAM) if record.owner_team else ()


WITHOUT_REPLY: Final[Mapping[Step, Callable[[Facts, Lookups, Part], Change]]] = MappingProxyType(
    {
        "refuse-deleted": refused_as_deleted,
        "refuse-closed": _refused_as_closed,
        "note-on-closed": _noted_on_closed,
    }
)
"""Steps of a record's life that have words of their own for the sender → the function that plans the Change."""
