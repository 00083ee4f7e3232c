"""The mail that a business rule sends: a template with the values of the record (TI-33, TI-42). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.numbers import number_of
from services.record_writer.decide.recipients import Recipient
from shared.config.model import Configuration, MailTemplate, RecordType
from shared.contracts.change import Notification
from shared.store.record import Record

_NAME = re.compile(r"\{([\w.]+)\}")


@dataclass(frozen=True, slots=True)
class About:
    """The record that a rule writes about, as it was before the change, and the mail that caused it, if one did."""

    record: Record
    before: Record | None
    type_: RecordType
    facts: Facts | None
    configuration: Configuration
    lookups: Lookups


def message(template: MailTemplate, to: Recipient, about: About, extra: Mapping[str, str]) -> Notification:
    """One mail to one mailbox. Who is not known to the desk reads nothing that came from a mail (PR-02)."""
    record, settings = about.record, about.configuration.settings
    known = {
        "number": record.number or number_of(record.id),
        "status": record.status,
        "type": about.type_.label,
        "response_url": settings.response_url or "",
        "self_service_url": settings.self_service_url or "",
        "subject": record.subject if to.is_trusted else "",
        **extra,
    }
    subject, text = (
        _NAME.sub(lambda found: known.get(found[1].lower(), found[0]), each)
        for each in (template.subject, template.text)
    )
    about_mail = about.facts.mail.message_id if about.facts and to.is_author else None
    return Notification((to.address,), subject, text, "rule", about_mail, to.name, stranger_domain=to.stranger_domain)
