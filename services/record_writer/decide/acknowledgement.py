"""The acknowledgement of a new record to the sender of its mail, where the inbox wants one (PR-20). Pure.

It is an answer like any other (`answers`): none to automatic mail, one for each record, within the limits.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.record_writer.decide.answers import Words, answer, keyword, thread_subject, title
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.numbers import number_of
from shared.config.model import MailTemplate, RecordType
from shared.contracts.change import Notification
from shared.lazy_pattern import lazy_compile

_NAME = lazy_compile(r"\{(\w+)\}")


def acknowledge(facts: Facts, type_: RecordType, record_id: str, own: Mapping[str, object]) -> tuple[Notification, ...]:
    """The answer that names the new record; its number is filled in when it is given."""
    commands, number = facts.inbox.commands, number_of(record_id)
    if not commands.reply_on_create:
        return ()
    label, subject = keyword(facts, type_, number), str(own["subject"])
    created, status = f"{title(facts, type_)} {number} has been created", f"Status: {own['status']}\n"
    words = Words(thread_subject(facts, label), f"{created}.\n\nSubject: {subject}\n{status}")
    neutral = Words(created, f"{created}.\n\n{status}")
    if template := facts.configuration.mail_template(commands.reply_template or ""):
        values = {"number": number, "status": str(own["status"]), "type": title(facts, type_), **_urls(facts)}
        words = _filled(template, label, {**values, "subject": subject})
        neutral = _filled(template, label, {**values, "subject": ""})
    return answer(facts, "created", words, neutral=neutral)


def _urls(facts: Facts) -> dict[str, str]:
    settings = facts.settings
    return {"response_url": settings.response_url or "", "self_service_url": settings.self_service_url or ""}


def _filled(template: MailTemplate, label: str, values: Mapping[str, str]) -> Words:
    """The template's words; its subject names the record, so that it is recognised when it comes back."""
    subject, text = (
        _NAME.sub(lambda found: values.get(found[1].lower(), found[0]), each)
        for each in (template.subject, template.text)
    )
    return Words(f"{label} {subject}", text)
