"""Plan the incident on error (IV-37): a mail that could not be handled becomes an incident, with the original
attached and the error in plain words. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Any

from services.record_writer.decide.content.restricted import Reduced, judge_of, original_of, reduce_file
from services.record_writer.decide.facts import EMAIL_LISTENER, UNSPECIFIED, Facts, left_out
from services.record_writer.decide.people.sender import Customer, customer_of_failed
from services.record_writer.decide.record.task import plan_task, wants_task
from services.record_writer.decide.record.values import creation
from shared.config.model import INCIDENT, Configuration, Inbox
from shared.contracts.change import Activity, Change
from shared.contracts.events import IncidentWanted
from shared.contracts.mail import Address
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.store.mails import StoredMail
from shared.text import shortened


@dataclass(frozen=True, slots=True)
class FailedMail:
    """The facts of a mail in an incident on error, which may be unreadable. `size` in bytes, `raw` its blob.

    `left_out`: the restricted files that the attached mail lacks (TI-27).
    """

    subject: str
    from_: Address | None
    size: int
    raw: str
    customer: Customer = field(default_factory=Customer)
    left_out: tuple[str, ...] = ()

    def without_restricted(
        self, content: bytes, patterns: Sequence[str], keep: Callable[[bytes], object]
    ) -> FailedMail:
        """The same with the mail that is attached, which `keep` stores: `content` without restricted files."""
        found = reduce_file(original_of(self.raw, self.size), content, judge_of(patterns))
        if found:
            keep(found.content)
        return self.reduced(found)

    def reduced(self, found: Reduced | None) -> FailedMail:
        """The same with a reduced mail."""
        if found is None:
            return self
        attached = found.instead_of(original_of(self.raw, self.size))
        return replace(self, size=attached.size, raw=attached.sha256, left_out=found.names)


def failed_mail(mail: StoredMail, customer: Customer) -> FailedMail:
    """A stored mail as an incident on error describes it."""
    return FailedMail(mail.subject, mail.from_, mail.size, mail.raw, customer)


def plan_incident_on_error(
    request: IncidentWanted,
    mail: FailedMail,
    inbox: Inbox | None,
    configuration: Configuration,
    now: datetime,
) -> Change:
    """The incident for a dead letter."""
    type_ = configuration.type_named(INCIDENT)
    assert type_ is not None  # a built-in type
    subject = shortened(mail.subject or "(no subject)", 200)
    text = explain(request, mail, now)
    own: dict[str, Any] = {
        "subject": f"Mail could not be processed: {subject}",
        "description": text,
        "owner": None,
        "owner_team": inbox.owner_team if inbox else None,
        "created_by": EMAIL_LISTENER,
        "logging_analyst": inbox.commands.default_logging_analyst if inbox else None,
        "source": "Email error",
        "inbox": request.inbox,
        "partition": inbox.partition if inbox else None,
        "origin": request.mail_id,
    }
    error = Activity("error", text, EMAIL_LISTENER, (original_of(mail.raw, mail.size),), UNSPECIFIED)
    notes = [left_out(mail.left_out)] if mail.left_out else []
    activities = (error, *(Activity("note", note, EMAIL_LISTENER, security_profile=UNSPECIFIED) for note in notes))
    return creation(
        type_,
        error_record_id(request.mail_id),
        own,
        activities=activities,
        person=mail.customer.new,
        customer=mail.customer.person,
        subordinates=_tasks(request, inbox, configuration, own=own, activities=activities),
        why=(f"Create Incident On Error: {request.reason}",),
    )


def _tasks(
    request: IncidentWanted,
    inbox: Inbox | None,
    configuration: Configuration,
    *,
    own: Mapping[str, Any],
    activities: tuple[Activity, ...],
) -> tuple[Change, ...]:
    """The task below it, where the inbox wants one for every email (IV-38)."""
    if inbox is None or not wants_task(inbox, INCIDENT):
        return ()
    like = {name: own[name] for name in ("partition", "logging_analyst", "created_by")}
    cause = (request.mail_id, "error")
    about = str(own["subject"])
    return (plan_task(inbox, configuration, cause=cause, about=about, properties=like, activities=activities),)


def _failed_mail_of(facts: Facts) -> FailedMail:
    """The mail of these facts as an incident on error describes it."""
    customer = customer_of_failed(facts.sender, facts.inbox, facts.settings)
    mail = FailedMail(facts.mail.subject, facts.mail.from_, facts.mail.size, facts.raw, customer)
    return mail.reduced(facts.reduced.get(facts.raw))


def plan_incident_for_parts(facts: Facts, reason: str) -> Change:
    """The one incident for the parts of a mail that failed while others were written (IV-33, IV-37)."""
    request = IncidentWanted(facts.envelope.mail_id, facts.inbox.name, "", "record-writer", reason)
    return plan_incident_on_error(request, _failed_mail_of(facts), facts.inbox, facts.configuration, facts.now)


def error_record_id(mail_id: str) -> str:
    """One incident on error for a mail, however often it fails."""
    return derived_id("record", mail_id, "error")


def explain(request: IncidentWanted, mail: FailedMail, now: datetime) -> str:
    """The incident's description: reason, stage, sender and remedy, for people."""
    sender = mail.from_ or Address("", "")
    written = f"{sender.name} <{sender.address or 'unknown'}>"
    letter = f"Dead letter: {request.letter_id}\n" if request.letter_id else ""
    remedy = "replay the dead letter" if request.letter_id else "send again what is missing"
    return (
        f"A mail to the inbox {request.inbox!r} could not be processed.\n\n"
        f"Reason: {request.reason}\n"
        f"Stage: {request.stage}\n"
        f"From: {written.strip()}\n"
        f"Subject: {mail.subject or '(none)'}\n"
        f"Mail: {request.mail_id}\n"
        f"{letter}"
        f"Time: {now:%Y-%m-%d %H:%M:%S} UTC\n\n"
        f"The original mail is attached. When the cause is fixed, {remedy}."
    )
