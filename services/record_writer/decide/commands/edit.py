"""`[Create Announcement]`, `[Update Ticket - 12]`, `[Delete Ticket - 12]` (TI-32). Pure.

Fields are lines of the body, `Name:value` or with the inbox's separator. An analyst sets them; in the mail of anybody
else they stay text, and a note says so. Who may update a record adds a note by `[Update …]`. Analysts alone create
records other than calls, and delete; to delete a record hides it.

A record of a type of people stands for a person: the person is created with it, follows its fields, and is inactive
when it is deleted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.record_writer.decide.answers.automatic_mail import keyword, title
from services.record_writer.decide.answers.wording import command_answer, command_answer_about, name_of
from services.record_writer.decide.automation.approvals import is_approval
from services.record_writer.decide.commands.command import without_command
from services.record_writer.decide.content import body
from services.record_writer.decide.content.body import Block
from services.record_writer.decide.content.parts import protected, type_for
from services.record_writer.decide.facts import UNSPECIFIED, Facts, author_on
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Part
from services.record_writer.decide.recognition.target import SERVICE_REQUEST, why_allowed
from services.record_writer.decide.record import values
from services.record_writer.decide.record.create import plan_creation
from services.record_writer.decide.record.life import event_of
from services.record_writer.decide.record.numbers import number_of
from services.record_writer.decide.record.update import (
    RecordEdit,
    changed,
    check_approver,
    email_activities,
    moves,
    plan_update,
    record_of,
    refused,
    type_of,
)
from shared.addresses import address_key, written_address
from shared.config.model import APPROVAL, INCIDENT, PEOPLE_TYPES, RecordType
from shared.contracts.change import PERSON_EMAIL, PERSON_LOGIN, PERSON_NAME, Activity, Change, NewPerson, Notification
from shared.mail_text.values import RecordFacts, record_values
from shared.store.people import person_id_for
from shared.store.record import Record
from shared.typed import BadValue

SEPARATOR: Final = ":"
"""Between a field and its value, where the inbox has no separator."""
_SIGNATURE: Final = re.compile(r"^(?=-- ?$)", re.MULTILINE)
"""Where a signature begins (RFC 3676, section 4.3)."""
NOT_CREATED: Final[Mapping[str, str]] = {
    SERVICE_REQUEST: "requests are not made by mail",
    APPROVAL: "an approval belongs to a record and is made with it",
    "task": "a task belongs to a record and is made with it",
}
"""Types of which no mail makes a record, and why (IV-35)."""


def block_of(facts: Facts, type_: RecordType) -> Block:
    """The fields and the text of a mail with such a command; a signature holds no fields."""
    _, text = without_command(facts)
    above, *below = _SIGNATURE.split(text, maxsplit=1)
    withheld = protected(facts, type_) if facts.is_analyst else frozenset(body.names_of(type_).values())
    block = body.read(above, facts.inbox.field_separator or SEPARATOR, body.form_of(type_, withheld))
    fields = _with_address(block.fields) if type_.name in PEOPLE_TYPES else block.fields
    return replace(block, fields=fields, text="\n".join((block.text, *below)).strip(), raw=text)


def _with_address(fields: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The fields of a person, the address without what mail programs write around it."""
    return tuple((name, written_address(text) or text if name == PERSON_EMAIL else text) for name, text in fields)


def objection_to_creation(facts: Facts, lookups: Lookups, type_: RecordType) -> str | None:
    """Why this mail makes no record of this type, in words for its sender."""
    if why := NOT_CREATED.get(type_.name):
        return why
    if not facts.is_analyst and type_.name != INCIDENT:
        return f"only analysts create records of the type {title(facts, type_)}"
    try:
        given = values.on_creation(type_, block_of(facts, type_).fields)
        values.split(given, lookups)
    except BadValue as error:
        return str(error)
    return _objection_to_person(facts, lookups, given) if type_.name in PEOPLE_TYPES else None


def _objection_to_person(facts: Facts, lookups: Lookups, given: Mapping[str, Any]) -> str | None:
    email = str(given.get(PERSON_EMAIL) or "").strip()
    if written_address(email) is None:
        return "a person needs a line with an address, such as Email: jane@example.com"
    return _taken(facts, lookups, email)


def _taken(facts: Facts, lookups: Lookups, email: str, person_id: str | None = None) -> str | None:
    """Whose address this is, if not this person's: with one address two people would be one sender (VS-03)."""
    key = address_key(email)
    if inbox := next((each for each in facts.configuration.inboxes if address_key(each.address) == key), None):
        return f"{email} is the address of the inbox {inbox.name}"
    known = lookups.person(email)
    if known is None or known.id == person_id:
        return None
    return f"{email} is the address of {known.name or known.id} already"


def plan_created(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """The Change that makes the record that a command asks for. Raises `SenderRefused`, `BadValue`."""
    type_ = type_for(facts, part.target)
    block = block_of(facts, type_)
    change = plan_creation(_with_own_subject(facts, block), lookups, replace(part, block=block))
    change = replace(change, notifications=_created(facts, lookups, type_, change, block.withheld))
    return _with_person(change, facts) if type_.name in PEOPLE_TYPES else change


def _created(
    facts: Facts, lookups: Lookups, type_: RecordType, change: Change, withheld: Sequence[str]
) -> tuple[Notification, ...]:
    number = number_of(change.record_id)
    own, fields = ({each.name: each.value for each in given} for given in (change.set, change.fields))
    record = RecordFacts(change.record_id, type_, number, own, fields, name_of=name_of(lookups))
    known = {**record_values(facts.configuration, record), "not_set": ", ".join(withheld)}
    return command_answer(facts, "command-created", known, label=keyword(facts, type_, number))


def _with_own_subject(facts: Facts, block: Block) -> Facts:
    """The facts with the subject behind the command, else a summary or the first line of the text."""
    subject, _ = without_command(facts)
    stated = dict(block.fields)
    found = (subject, stated.get(PERSON_NAME), stated.get("Summary"), block.text.strip().partition("\n")[0])
    return replace(facts, mail=replace(facts.mail, subject=next(filter(None, found), "")))


def _with_person(change: Change, facts: Facts) -> Change:
    """The Change with the person whom the record stands for."""
    said = {each.name: str(each.value) for each in change.fields}
    email = said[PERSON_EMAIL]
    id_ = person_id_for(email, plus_addressing=facts.settings.plus_addressing)
    person = NewPerson(id_, said.get(PERSON_NAME) or email, email, change.type, said.get(PERSON_LOGIN))
    return replace(change, person=person, set=(*change.set, *values.pairs({"person": id_})))


def plan_edit(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """Set the fields that an analyst states, or add the mail as a note. Raises `PostroomError`."""
    record, type_ = record_of(part), type_of(facts, part)
    if why_allowed(facts, record, lookups) is None or (type_.name in PEOPLE_TYPES and not facts.is_analyst):
        return _insufficient(facts, lookups, part, "not-updated")
    part = replace(part, block=block_of(facts, type_))
    subject, text = without_command(facts)
    facts = replace(facts, mail=replace(facts.mail, subject=subject, new_text=text))
    if not part.block.fields:
        return plan_update(facts, lookups, part)
    try:
        return _with_fields(facts, lookups, part)
    except BadValue as error:
        answer = command_answer_about(facts, lookups, "not-updated-because", type_, record, reason=str(error))
        return refused(facts, part, answer, str(error))


def _with_fields(facts: Facts, lookups: Lookups, part: Part) -> Change:
    record, type_ = record_of(part), type_of(facts, part)
    given = values.on_update(type_, part.block.fields)
    check_approver(facts, record, given)
    if type_.name in PEOPLE_TYPES and PERSON_EMAIL in given:
        _check_email(facts, lookups, record, str(given[PERSON_EMAIL] or ""))
    edit = RecordEdit(
        given=given,
        activities=email_activities(facts, lookups, part) + moves(facts, lookups, record, given),
        notifications=command_answer_about(
            facts, lookups, "command-updated", type_, record, not_set=", ".join(part.block.withheld)
        ),
    )
    return changed(facts, lookups, part, event_of(type_, record.status, given.get("Status")), edit)


def _check_email(facts: Facts, lookups: Lookups, record: Record, email: str) -> None:
    if written_address(email) is None:
        raise BadValue(f"the field Email takes an address, not {email!r}")
    if why := _taken(facts, lookups, email, record.person):
        raise BadValue(why)


def plan_deletion(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """Hide the record. Raises `PostroomError` when the record or its type is gone."""
    record, type_ = record_of(part), type_of(facts, part)
    named = f"{title(facts, type_)} {record.number}"
    if not facts.is_analyst:
        return _insufficient(facts, lookups, part, "not-deleted")
    if is_approval(record):
        answer = command_answer_about(facts, lookups, "approval-not-deleted", type_, record)
        return refused(facts, part, answer, "it is an approval")
    author = author_on(facts, lookups, record.owner)
    note = Activity("deleted", f"{named} has been deleted", author, security_profile=UNSPECIFIED)
    edit = RecordEdit(
        properties={"deleted": True},
        activities=(*email_activities(facts, lookups, part), note),
        notifications=command_answer_about(facts, lookups, "command-deleted", type_, record),
    )
    return changed(facts, lookups, part, "deleted", edit)


def _insufficient(facts: Facts, lookups: Lookups, part: Part, name: str) -> Change:
    answer = command_answer_about(facts, lookups, name, type_of(facts, part), record_of(part))
    return refused(facts, part, answer, "the sender may not do that")
