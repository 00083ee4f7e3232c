"""The acknowledgement of a new record to the sender of its mail, where the inbox wants one (PR-20). Pure.

It is an answer like any other (`automatic_mail`): none to automatic mail, one for each record, within the limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.record_writer.decide.answers.automatic_mail import keyword
from services.record_writer.decide.answers.wording import name_of, reply
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.record.numbers import number_of
from shared.config.model import RecordType
from shared.contracts.change import Notification
from shared.mail_text.values import RecordFacts, record_values


def acknowledge(
    facts: Facts, lookups: Lookups, type_: RecordType, record_id: str, own: Mapping[str, Any], fields: Mapping[str, Any]
) -> tuple[Notification, ...]:
    """The answer that names the new record; its number is filled in when it is given."""
    commands, number = facts.inbox.commands, number_of(record_id)
    if not commands.reply_on_create:
        return ()
    stated = {**own, "customer": facts.sender.person_id or facts.sender.name}
    record = RecordFacts(record_id, type_, number, stated, fields, name_of=name_of(lookups))
    values, label = record_values(facts.configuration, record), keyword(facts, type_, number)
    return reply(facts, "created", values, label=label, template=commands.reply_template)
