"""The server that sends notifications, and their From address (VS-07, `shared.sending`). Pure.

The partition is that of the record: of the one that the inbox makes (the template wins over the inbox), or a given one.
"""

from __future__ import annotations

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.record.create import partition_of
from shared.config.model import Configuration
from shared.sending import sending_side
from shared.store.outbox import SendingSide
from shared.store.record import Record


def outgoing(facts: Facts) -> SendingSide:
    """The inbox, server and From address of the notifications that this mail causes."""
    configuration, inbox = facts.configuration, facts.inbox
    partition = partition_of(inbox, configuration, configuration.template(inbox.template or ""))
    return sending_side(configuration, inbox, partition.name if partition else None)


def outgoing_about(record: Record | None, configuration: Configuration) -> SendingSide:
    """The same for notifications that no mail causes: those of the record's inbox and partition, else the desk's."""
    inbox = (configuration.inbox(record.inbox or "") if record else None) or configuration.default_inbox
    return sending_side(configuration, inbox, record.partition if record else None)
