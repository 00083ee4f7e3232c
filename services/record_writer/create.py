"""Plan a new record: what it is called, what it holds, whom it belongs to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from services.record_writer import mapping
from services.record_writer.body import Block, typed
from services.record_writer.facts import Facts, as_text, kept_attachments, left_out
from shared.contracts.desk import RECORD_FIELDS, ObjectMatch, Partition, RecordType, Template
from shared.contracts.service import Activity, Change, FieldValue, Link, NewPerson
from shared.ids import derived_id
from shared.store.people import INTERNAL_SERVICES, person_id_for
from shared.text import shortened

UNSPECIFIED: Final = "Unspecified"
"""The security profile of what mail attaches (VF-10)."""
MAX_TEXT: Final = 200_000
"""Characters of text that a record or an activity shows; the whole mail is attached when it is longer."""
RELATED: Final = "related"
PROPERTY: Final[Mapping[str, str]] = {
    "Status": "status",
    "Subject": "subject",
    "Owner": "owner",
    "OwnerTeam": "owner_team",
    "Partition": "partition",
}
"""Names of the record's own properties in templates, mappings and bodies."""


class Refused(Exception):
    """No record shall be made; the reason is the mail's (IV-21)."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Who the record belongs to, and whether that person comes to be with it."""

    person: str | None
    new: NewPerson | None = None


def record_id(facts: Facts, part: str) -> str:
    """The id of the record that this part of the mail makes."""
    return derived_id("record", facts.envelope.mail_id, part)


def customer_of(facts: Facts) -> Customer:
    """The sender's policy (IV-20 to IV-22). Raises `Refused`."""
    policy = facts.inbox.sender
    if policy.method == "object":
        return Customer(None)
    if facts.sender.person_id:
        return Customer(facts.sender.person_id)
    address = facts.sender.address
    if policy.policy == "existing_only":
        raise Refused("nobody is known by the sender's address, and this inbox takes mail of known people only")
    if policy.policy == "without_creating" or address is None or "@" not in address.address:
        return Customer(INTERNAL_SERVICES, _internal_services())
    person_id = person_id_for(address.address, plus_addressing=facts.settings.plus_addressing)
    external = policy.contact_type == "external_contact"
    login_id = address.address.lower() if external else None
    return Customer(
        person_id, NewPerson(person_id, address.name or address.address, address.address, policy.contact_type, login_id)
    )


@dataclass(frozen=True, slots=True)
class LinkedObject:
    """The record that method 2 links to, and its Change when it comes to be with the new record."""

    relationship: str
    record_id: str
    new: Change | None = None


def object_of(facts: Facts) -> LinkedObject | None:
    """Method 2 (IV-23, IV-24, IV-41): the object found, or made. Raises `Refused`."""
    wanted = facts.inbox.sender.object
    if facts.inbox.sender.method != "object" or wanted is None:
        return None
    if facts.sender.object_id:
        return LinkedObject(wanted.relationship, facts.sender.object_id)
    if facts.inbox.sender.policy == "existing_only":
        raise Refused(f"there is no {wanted.type} for this sender, and this inbox makes none")
    name, value = wanted.matched_by(facts.sender.address.address if facts.sender.address else "")
    if not value:
        raise Refused(f"the mail has no sender's address by which a {wanted.type} could be found or made")
    new = _plan_object(facts, wanted, name, value)
    return LinkedObject(wanted.relationship, new.record_id, new)


def _plan_object(facts: Facts, wanted: ObjectMatch, name: str, value: str) -> Change:
    """The new object, with a field mapping of its own (IV-41) and the value that it is matched by."""
    type_ = facts.configuration.type_named(wanted.type)
    if type_ is None:
        raise Refused(f"there is no record type {wanted.type!r}")
    mapped = [(field, mapping.fill(text, facts, facts.mail.text)) for field, text in wanted.field_mapping.items()]
    values = {each.name: each.value for each in typed(type_, [*mapped, (name, value)])}
    own = {PROPERTY[field]: values.pop(field) for field in PROPERTY if field in values}
    serial = facts.serials(type_.name)
    base = {
        "status": type_.statuses.open[0] if type_.statuses.open else "",
        "subject": value,
        "description": "",
        "created_by": facts.created_by,
        "source": "Email",
        "inbox": facts.inbox.name,
        "origin": facts.envelope.mail_id,
    }
    return Change(
        action="create",
        type=type_.name,
        record_id=derived_id("object", type_.name, name, value.casefold()),
        number=f"{type_.prefix}{serial}",
        serial=serial,
        event="created",
        set=_pairs({**base, **own}),
        fields=_pairs(values),
    )


def _internal_services() -> NewPerson:
    return NewPerson(INTERNAL_SERVICES, "Internal Services", "", "employee", None)


def plan_creation(facts: Facts, type_: RecordType, block: Block, *, part: str = "0", related: str | None = None) -> Change:
    """The Change that makes one record of this type from one part of the mail.

    Values come from the template, then the inbox, then the field mapping, then the fields of the body: the later
    wins. Raises `Refused`, `BadValue`.
    """
    customer, linked = customer_of(facts), object_of(facts)
    template = _template(facts, type_)
    values = _values(facts, type_, template, block)
    own = {PROPERTY[name]: values.pop(name) for name in PROPERTY if name in values}
    partition = _partition(facts, template)
    if priority := _priority(values, partition):
        values["Priority"] = priority
    serial = facts.serials(type_.name)
    record = record_id(facts, part)
    return Change(
        action="create",
        type=type_.name,
        record_id=record,
        number=f"{type_.prefix}{serial}",
        serial=serial,
        event="created",
        set=_pairs({**_properties(facts, type_, block, partition, template), **own, **_logging(facts)}),
        fields=_pairs(values),
        activities=_activities(facts, block.text or facts.mail.text),
        person=customer.new,
        customer=customer.person,
        links=tuple(_links(linked, related)),
        subordinates=tuple(_tasks(facts, type_, part)),
        objects=(linked.new,) if linked and linked.new else (),
        becomes_user=facts.sender.person_id if facts.is_analyst and "user" not in facts.sender.roles else None,
    )


def _properties(
    facts: Facts, type_: RecordType, block: Block, partition: Partition | None, template: Template | None
) -> dict[str, Any]:
    return {
        "status": type_.statuses.open[0] if type_.statuses.open else "",
        "subject": facts.mail.subject.strip() or "(no subject)",
        "description": shortened(block.text, MAX_TEXT),
        "owner": None,
        "owner_team": facts.inbox.owner_team,
        "created_by": facts.created_by,
        "source": "Email",
        "inbox": facts.inbox.name,
        "partition": partition.name if partition else None,
        "template": template.name if template else None,
        "copied": [address.address.lower() for address in facts.mail.cc[:50]],
        "origin": facts.envelope.mail_id,
    }


def _logging(facts: Facts) -> dict[str, Any]:
    """The logging analyst (VS-04, VS-05)."""
    commands = facts.inbox.commands
    if facts.is_analyst and commands.use_linked_analyst:
        return {"logging_analyst": facts.sender.person_id}
    return {"logging_analyst": commands.default_logging_analyst}


def _template(facts: Facts, type_: RecordType) -> Template | None:
    found = facts.configuration.template(facts.inbox.template) if facts.inbox.template else None
    return found if found and found.on == type_.name else None


def _partition(facts: Facts, template: Template | None) -> Partition | None:
    """The template's partition wins over the inbox's (VS-07)."""
    name = as_text(template.set.get("Partition")) if template else ""
    return facts.configuration.partition(name or facts.inbox.partition or "")


def _priority(values: Mapping[str, Any], partition: Partition | None) -> Any:
    """Impact × urgency in the partition's matrix; a pair that it lacks leaves the template's priority (VS-07)."""
    if partition is None:
        return None
    return partition.priority_matrix.get(f"{values.get('Impact')}/{values.get('Urgency')}")


def _values(facts: Facts, type_: RecordType, template: Template | None, block: Block) -> dict[str, Any]:
    mapped = [(name, mapping.fill(text, facts, block.text)) for name, text in facts.inbox.field_mapping.items()]
    known = [(name, text) for name, text in mapped if name in type_.fields or name in RECORD_FIELDS]
    values: dict[str, Any] = {name: value for name, value in (template.set if template else {}).items() if value is not None}
    values.update((value.name, value.value) for value in typed(type_, known))
    values.update((value.name, value.value) for value in typed(type_, block.fields) if value.name != type_.number_field)
    return values


def _activities(facts: Facts, text: str) -> tuple[Activity, ...]:
    """The mail in the record's activities (IV-31), and what was left out of it (TI-27)."""
    kept, restricted = kept_attachments(facts)
    email = Activity("email", shortened(text, MAX_TEXT), facts.author, kept, UNSPECIFIED)
    note = (Activity("note", left_out(restricted), facts.author),) if restricted else ()
    return (email, *note)


def _links(linked: LinkedObject | None, related: str | None) -> Sequence[Link]:
    links = [Link(RELATED, related)] if related else []
    return [*links, Link(linked.relationship, linked.record_id)] if linked else links


def _tasks(facts: Facts, type_: RecordType, part: str) -> Sequence[Change]:
    """A task for every email, below an incident and owned by the owner team (IV-38)."""
    if not facts.inbox.task_for_every_email or type_.name != "incident":
        return ()
    return (plan_task(facts, part),)


def plan_task(facts: Facts, part: str) -> Change:
    """The task that an email to an incident makes (IV-38)."""
    type_ = facts.configuration.type_named("task")
    assert type_ is not None  # a built-in type
    serial = facts.serials(type_.name)
    own = {
        "status": type_.statuses.open[0],
        "subject": facts.inbox.task_subject,
        "description": facts.mail.subject,
        "owner": None,
        "owner_team": facts.inbox.owner_team,
        "created_by": facts.created_by,
        "source": "Email",
        "inbox": facts.inbox.name,
        "origin": facts.envelope.mail_id,
    }
    return Change(
        "create", type_.name, record_id(facts, f"{part}/task"), f"{type_.prefix}{serial}", serial, "created", _pairs(own)
    )


def _pairs(values: Mapping[str, Any]) -> tuple[FieldValue, ...]:
    return tuple(FieldValue(name, value) for name, value in values.items())


def with_why(change: Change, *why: str) -> Change:
    """The same change with the steps that led to it."""
    return replace(change, why=(*why, *change.why))
