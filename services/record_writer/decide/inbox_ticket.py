"""The ticket about an inbox that stopped because its logins were refused, and the note that it works again (TI-10).

Pure. A template that was deleted, or that does not fit any more, leaves a ticket with defaults that says so.
"""

from __future__ import annotations

from typing import Any, Final

from services.record_writer.decide.facts import UNSPECIFIED
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.record import values
from services.record_writer.decide.record.create import partition_of, priority_of
from shared.config.model import INCIDENT, Configuration, Inbox, RecordType, Template
from shared.contracts.change import Activity, Change
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.store.record import Record
from shared.typed import BadValue

SOURCE: Final = "System - Email Monitor"
AUTHOR: Final = "email monitor"


@dataclass(frozen=True, slots=True)
class StoppedInbox:
    """An inbox that was stopped, why, and the id of this stop."""

    inbox: Inbox
    reason: str
    id: str


def ticket_id(stop_id: str) -> str:
    """The id of the one ticket about a stop, whoever makes it and however often."""
    return derived_id("record", "inbox-stopped", stop_id)


def plan_ticket(stopped: StoppedInbox, configuration: Configuration, lookups: Lookups) -> Change:
    """The ticket: a record of the template's type, else an incident. It has no number yet."""
    named = configuration.settings.auth_failure_ticket.template
    template = configuration.template(named or "")
    type_ = configuration.type_named(template.on if template else INCIDENT) or configuration.type_named(INCIDENT)
    assert type_ is not None  # a built-in type
    problem = f'The template "{named}" does not exist any more.' if named and template is None else ""
    try:
        own, fields = _templated(type_, template, stopped.inbox, configuration, lookups)
    except BadValue as error:
        own, fields, problem = {}, {}, f'The template "{named}" could not be used: {error}'
    text = "\n".join(filter(None, (_explanation(stopped), problem)))
    properties = {**_properties(stopped), "description": text, **own, "source": SOURCE}
    activities = (Activity("error", text, AUTHOR, security_profile=UNSPECIFIED),)
    more = {"fields": values.pairs(fields), "activities": activities, "why": (stopped.reason,)}
    return values.creation(type_, ticket_id(stopped.id), properties, **more)


def _templated(
    type_: RecordType, template: Template | None, inbox: Inbox, configuration: Configuration, lookups: Lookups
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the template sets, with the priority of its impact and urgency. Raises `BadValue`."""
    partition = partition_of(inbox, configuration, template)
    stated = values.templated(type_, template.set) if template else {}
    if (priority := priority_of(stated, partition)) is not None:
        stated["Priority"] = priority
    if "Source" in type_.fields:
        stated["Source"] = SOURCE
    own, fields = values.split(stated, lookups)
    return {**own, "partition": partition.name if partition else None}, fields


def _properties(stopped: StoppedInbox) -> dict[str, Any]:
    return {
        "subject": f"The inbox {stopped.inbox.name} is stopped: its logins were refused",
        "owner": None,
        "owner_team": stopped.inbox.owner_team,
        "created_by": AUTHOR,
        "logging_analyst": stopped.inbox.commands.default_logging_analyst,
        "inbox": stopped.inbox.name,
        "origin": None,
    }


def _explanation(stopped: StoppedInbox) -> str:
    inbox = stopped.inbox
    return (
        f"Nobody reads the mailbox {inbox.address} any more: its server refused the login several times in a row.\n\n"
        f"Reason: {stopped.reason}\n\n"
        "When the login is corrected in the configuration, the inbox starts by itself. When the server is, or "
        f"the password that the configuration refers to, run: postroom inbox start {inbox.name}\n"
    )


def plan_recovery(record: Record, inbox: Inbox) -> Change:
    """The note on the ticket that the inbox is read again. A person closes the ticket."""
    note = Activity("note", f"The inbox {inbox.name} is read again.", AUTHOR, security_profile=UNSPECIFIED)
    return values.revision(record, "updated", activities=(note,))
