"""Plan a new record: its subject, its values, and its customer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.record_writer.decide.answers.acknowledgement import acknowledge
from services.record_writer.decide.content.body import Block, whole
from services.record_writer.decide.content.parts import type_for
from services.record_writer.decide.facts import MAX_TEXT, Facts, as_attached, author_of_new
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Part
from services.record_writer.decide.people.participants import MAX_PARTICIPANTS, named_in
from services.record_writer.decide.people.sender import LinkedObject, customer_of, object_of
from services.record_writer.decide.record import mapping, values
from services.record_writer.decide.record.task import plan_task, wants_task
from shared.addresses import address_key
from shared.config.model import Configuration, Inbox, Partition, RecordType, Template
from shared.contracts.change import Activity, Change, Link
from shared.ids import derived_id
from shared.text import shortened

RELATED: Final = "related"


def record_id(facts: Facts, part: int) -> str:
    """The id of the record that this part of the mail makes."""
    return derived_id("record", facts.envelope.mail_id, str(part))


def plan_creation(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """The Change that makes one record from one part of the mail; it has no number yet.

    Values come from the inbox, then the template, then the field mapping, then the fields of the body: the later
    wins. A record of another type than the inbox's (IV-35) takes the mail as it is. Raises `SenderRefused`,
    `BadValue`.
    """
    type_, block = type_for(facts, part.target), part.block
    if type_.name != facts.inbox.processor and part.target.kind != "create":
        block = whole(facts.mail.text)
    customer, linked = customer_of(facts), object_of(facts, lookups)
    template = template_of(facts, type_)
    partition = partition_of(facts.inbox, facts.configuration, template)
    own, fields = values.split(_values(facts, type_, template, partition, block), lookups)
    properties = {**_properties(facts, type_, block, partition, template), **own, **_logging(facts)}
    author = author_of_new(facts, lookups, properties["owner"])
    activities = as_attached(facts, block.raw, author, withheld=block.withheld)
    return values.creation(
        type_,
        record_id(facts, part.number),
        properties,
        fields=values.pairs(fields),
        activities=activities,
        notifications=acknowledge(facts, lookups, type_, record_id(facts, part.number), properties, fields),
        person=customer.new,
        customer=customer.person,
        links=tuple(_links(linked, part.target.related)),
        subordinates=tasks_below(facts, type_.name, part.number, _inherited(properties), activities),
        objects=(linked.new,) if linked and linked.new else (),
        becomes_user=facts.sender.person_id if facts.is_analyst and "user" not in facts.sender.roles else None,
        why=(part.target.why, *facts.remarks),
        part=str(part.number),
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
        "copied": _taking_part(facts),
        **_participants(facts),
        "origin": facts.envelope.mail_id,
    }


def _taking_part(facts: Facts) -> list[str]:
    """The keys of the addresses that the mail was copied to, or that its Reply-To names (VF-21)."""
    named = (*facts.mail.cc[:50], *facts.mail.reply_to[:10])
    return [key for address in named if (key := address_key(address.address))]


def _participants(facts: Facts) -> dict[str, Any]:
    """The people in copy who take part, where the inbox wants that."""
    named = list(named_in(facts)[:MAX_PARTICIPANTS])
    if not named:
        return {}
    return {"participants": named, "copied": list(dict.fromkeys([*_taking_part(facts), *named]))}


def _logging(facts: Facts) -> dict[str, Any]:
    """The logging analyst (VS-04, VS-05)."""
    commands = facts.inbox.commands
    if facts.forwarder:
        return {"logging_analyst": facts.forwarder.person_id}
    if facts.is_analyst and commands.use_linked_analyst:
        return {"logging_analyst": facts.sender.person_id}
    return {"logging_analyst": commands.default_logging_analyst}


def template_of(facts: Facts, type_: RecordType) -> Template | None:
    """The inbox's template, when it is for records of this type."""
    found = facts.configuration.template(facts.inbox.template) if facts.inbox.template else None
    return found if found and found.on == type_.name else None


def partition_of(inbox: Inbox, configuration: Configuration, template: Template | None) -> Partition | None:
    """The template's partition wins over the inbox's (VS-07)."""
    stated = (
        next((value for name, value in template.set.items() if name.casefold() == "partition"), None)
        if template
        else None
    )
    return configuration.partition(str(stated or inbox.partition or ""))


def _values(
    facts: Facts, type_: RecordType, template: Template | None, partition: Partition | None, block: Block
) -> dict[str, Any]:
    """The values of the fields, the later over the earlier; a priority from mapping or body is kept."""
    from_template = values.templated(type_, template.set) if template else {}
    stated = {**_mapped(facts, type_, block), **values.on_creation(type_, block.fields)}
    together = {**from_template, **stated}
    priority = priority_of(together, partition)
    if priority is not None and "Priority" not in stated:
        together["Priority"] = priority
    return together


def _mapped(facts: Facts, type_: RecordType, block: Block) -> dict[str, Any]:
    """The inbox's field mapping (IV-32), for records of the inbox's type."""
    if type_.name != facts.inbox.processor:
        return {}
    body = block.text or block.raw
    return values.as_written(
        type_, {name: mapping.fill(text, facts, body) for name, text in facts.inbox.field_mapping.items()}
    )


def priority_of(stated: Mapping[str, Any], partition: Partition | None) -> int | None:
    """Impact × urgency in the partition's matrix; a pair that it lacks leaves the template's priority (VS-07)."""
    if partition is None:
        return None
    pair = f"{stated.get('Impact')}/{stated.get('Urgency')}".casefold()
    return next((value for each, value in partition.priority_matrix.items() if each.casefold() == pair), None)


def _links(linked: LinkedObject | None, related: str | None) -> Sequence[Link]:
    links = [Link(RELATED, related)] if related else []
    return [*links, Link(linked.relationship, linked.record_id)] if linked else links


def _inherited(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that a task inherits from its parent record."""
    return {name: properties.get(name) for name in ("partition", "logging_analyst")}


def tasks_below(
    facts: Facts, type_name: str, part: int, inherited: Mapping[str, Any], activities: tuple[Activity, ...]
) -> tuple[Change, ...]:
    """A task for every email, below an incident and owned by the owner team (IV-38)."""
    if not wants_task(facts.inbox, type_name):
        return ()
    task = plan_task(
        facts.inbox,
        facts.configuration,
        cause=(facts.envelope.mail_id, str(part)),
        about=facts.mail.subject,
        properties={**inherited, "created_by": facts.created_by},
        activities=activities,
    )
    return (task,)
