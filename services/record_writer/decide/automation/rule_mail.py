"""The mail that a business rule sends: a template with the values of the record (TI-33, TI-42). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from services.record_writer.decide.answers.automatic_mail import notification
from services.record_writer.decide.answers.wording import mail_values, name_of
from services.record_writer.decide.automation.recipients import RuleRecipient
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.record.numbers import number_of
from shared.config.model import Configuration, Inbox, MailTemplate, RecordType
from shared.contracts.change import Notification
from shared.lazy_dataclass import dataclass
from shared.mail_text.render import Value, render
from shared.mail_text.values import desk_values, facts_of_record, keyword, record_values
from shared.mail_text.variables import for_strangers
from shared.record_values import OWN
from shared.store.record import Record

KIND: Final = "rule"


@dataclass(frozen=True, slots=True)
class About:
    """The record that a rule writes about, as it was before the change, and the mail that caused it, if one did."""

    record: Record
    before: Record | None
    type_: RecordType
    facts: Facts | None
    configuration: Configuration
    lookups: Lookups

    @property
    def inbox(self) -> Inbox | None:
        """The inbox in whose name the desk writes."""
        if self.facts:
            return self.facts.inbox
        return self.configuration.inbox(self.record.inbox or "") or self.configuration.default_inbox

    @property
    def number(self) -> str:
        """The record's number, or what stands for it until it has one."""
        return self.record.number or number_of(self.record.id)


def message(template: MailTemplate, to: RuleRecipient, about: About, extra: Mapping[str, str]) -> Notification:
    """One mail to one mailbox. Who is not known to the desk reads nothing that came from a mail (PR-02).

    The subject names the record, so that an answer finds it.
    """
    label = keyword(about.configuration, about.type_, about.number)
    own = {**_values(about), **extra}
    if not to.is_trusted:
        own = {**for_strangers(own), "reply_subject": f"Re: {label}"}
    language = (to.person.language if to.person else None) or (about.inbox.language if about.inbox else None)
    words = render(template, own, language)
    if about.number.casefold() not in words.subject.casefold():
        words = replace(words, subject=f"{label} {words.subject}")
    answered = about.facts.mail if about.facts and to.is_author else None
    mail = notification((to.address,), KIND, words, answered.message_id if answered else None, to.name)
    references = answered.references if answered and to.is_trusted else ()
    return replace(mail, references=references, stranger_domain=to.stranger_domain)


def _values(about: About) -> dict[str, Value]:
    """The values of the record, the desk, and the mail; without a mail those about it are empty."""
    facts = facts_of_record(about.record, about.type_, name_of(about.lookups), _before(about.before))
    mail = mail_values(about.facts) if about.facts else {"sender": "", "text": ""}
    known = {**desk_values(about.configuration, about.inbox), **mail, "reply_subject": about.record.subject}
    return {**known, **record_values(about.configuration, replace(facts, number=about.number))}


def _before(record: Record | None) -> Mapping[str, Any]:
    """Properties and fields by the names of fields; empty for a new record."""
    if record is None:
        return {}
    return {**{name: getattr(record, attribute) for name, attribute in OWN.items()}, **record.fields}
