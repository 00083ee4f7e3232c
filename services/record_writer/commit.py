"""Commit a Decision: claim targets, write each record conditionally, carry out, store the outcome, clear `pending`.

The commit point of a part is the insert or the conditional write of its record, which stores the Change under the mail
id. A second worker, or a redelivery, finds the stored Change and carries that out; nothing is planned twice (PR-15).
Where no record is written, the mail's own document is the commit point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, replace
from datetime import datetime

from services.record_writer.approval_flow import advance, forget
from services.record_writer.carry_out import Cause, Stores, carry_out, queue_notifications
from services.record_writer.decide.answers.outgoing import outgoing_about
from services.record_writer.decide.automation.approvals import ASKED
from services.record_writer.decide.automation.business_rules import Occasion
from services.record_writer.decide.automation.consequences import settled
from services.record_writer.decide.error import failed_mail, plan_incident_on_error
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Decision, Part
from services.record_writer.decide.people.sender import Customer, customer_of_failed
from services.record_writer.decide.plan import conclude, decide, plan_part
from services.record_writer.decide.record.numbers import numbered, with_numbers
from services.record_writer.store_lookups import StoreLookups
from shared.config.model import Configuration, Inbox
from shared.contracts.change import Change, Target
from shared.contracts.errors import PostroomError, Unavailable
from shared.contracts.events import Event, ExportWanted, IncidentWanted, MailRejected, Sender
from shared.lazy_dataclass import dataclass
from shared.runtime.crash_points import crash_point
from shared.runtime.outcome import Emit, Fail, MailEnded, Outcome, Wait, emit
from shared.store.mails import OutcomeName, RecordLabel, StoredMail
from shared.store.outbox import SendingSide
from shared.store.people import People, with_domain
from shared.store.record import Record, new_record, pending_change
from shared.text import from_iso

MAX_RACES = 50
"""How often a part is planned again because its record has changed, before the message has to wait."""
NO_RECORD = Change("none", "", "", "", 0, "none")
"""The change used for notifications that are not about a record."""


def commit(facts: Facts, lookups: Lookups, stores: Stores) -> Outcome:
    """Decide a mail and write the decision. Safe to repeat after a crash at any point."""
    decision = decide(facts, lookups)
    claimed = claim(facts, decision, stores) if decision.targets else ()
    if claimed != decision.targets:
        if (mail := stores.mail(facts.envelope.mail_id)).outcome is not None:
            return decided_before(mail, stores)
        facts = replace(facts, targets_claimed=claimed)
        decision = decide(facts, lookups)
    decision = PartCommits(facts, lookups, stores).commit_parts(decision)
    stores.barrier()
    cause = Cause(facts.envelope.mail_id, facts.inbox.name, facts.at, decision.outgoing)
    if decision.undelivered:
        stores.outbox.mark_undelivered(decision.undelivered)
    if decision.came_back:
        stores.canaries.came_back(decision.came_back)
    about = decision.about or NO_RECORD
    notices = queue_notifications(with_numbers(decision.notices, decision.changes), about, cause, stores)
    match decision.ending:
        case "wait":
            return Wait(decision.reason)
        case "exported":
            return _export(facts, decision, stores)
        case "failed":
            now = stores.mails.get_fresh(cause.mail_id)
            if now is not None and now.outcome is not None:  # another worker committed the parts that do not fail
                return decided_before(now, stores)
            return Fail(decision.reason, cause.mail_id, incident=decision.may_make_incident, events=tuple(notices))
        case "decided before":
            return decided_before(stores.mail(cause.mail_id), stores)
        case "rejected" | "recorded" | "commanded":
            return finish(facts, decision, cause, lookups, stores, notices)


def claim(facts: Facts, decision: Decision, stores: Stores) -> tuple[Target, ...]:
    """Fix what each part of this mail is about. Targets that were stored earlier, by any worker, are kept."""
    if facts.targets_claimed:
        return facts.targets_claimed
    claimed = stores.mails.claim(facts.envelope.mail_id, decision.targets)
    stores.barrier()
    crash_point("writer.claimed")
    return claimed


@dataclass(slots=True)
class PartCommits:
    """The commits of one mail's parts. `moved`: records that were changed by others since the decision read them."""

    facts: Facts
    lookups: Lookups
    stores: Stores
    moved: set[str] = field(default_factory=set)

    @property
    def mail_id(self) -> str:
        """The mail whose parts these are."""
        return self.facts.envelope.mail_id

    def commit_parts(self, decision: Decision) -> Decision:
        """Commit each part. When a result differs from the decision, the outcome of the mail is decided again."""
        parts: list[Part] = []
        for part in decision.parts:
            parts.append(self.commit_part(part))
            if parts[-1].change:
                crash_point("writer.committed")
        if [_result(part) for part in parts] == [_result(part) for part in decision.parts]:
            return replace(decision, parts=tuple(parts))
        return replace(conclude(self.facts, self.lookups, parts), undelivered=decision.undelivered)

    def commit_part(self, part: Part) -> Part:
        """One part, committed. Without a change when it was carried out before, or could not be planned again."""
        if part.target.record_id in self.moved:
            part = self.plan_again(part)
        for _ in range(MAX_RACES):
            if part.change is None or part.committed:
                return part
            if part.record is None:
                made = commit_creation(part.change, self.facts.configuration, self.mail_id, self.facts.at, self.stores)
                return replace(part, change=made, committed=True)
            if self.is_over():
                return replace(part, change=None, committed=True)
            if change := self.update(part.record, part.change):
                return replace(part, change=change, committed=True)
            part = self.plan_again(part)
        raise Unavailable(f"the record {part.target.record_id} is being changed by too many workers at once")

    def plan_again(self, part: Part) -> Part:
        """Plan the part, and later parts about the same record, on the record as it is now."""
        self.moved.add(part.target.record_id or "")
        return plan_part(self.facts, self.lookups, replace(part, record=None))

    def is_over(self) -> bool:
        """Whether the mail has its outcome by now. To be called after the record was read: the outcome is stored before
        the pending entry is removed, so a late worker sees the entry, or the outcome, or a version conflict.
        """
        mail = self.stores.mails.get_fresh(self.mail_id)
        return mail is not None and mail.outcome is not None

    def update(self, record: Record, planned: Change) -> Change | None:
        """Write the change onto the version that it was planned on; None when the record has a newer version."""
        change = numbered(planned, self.facts.configuration, self.stores.records.next_serial)
        return change if self.stores.records.commit(record, change, self.mail_id, self.facts.at) else None


def _result(part: Part) -> object:
    """The part and its result, from which the outcome of the mail is decided."""
    return part.failure, part.refusal, part.change and (part.change.action, part.change.why, part.change.notifications)


def commit_creation(
    planned: Change, configuration: Configuration, mail_id: str, at: datetime, stores: Stores
) -> Change | None:
    """Insert the record; return its change, or the stored one of a faster worker; None when all of it is done."""
    change = numbered(planned, configuration, stores.records.next_serial)
    if stores.records.create_once(change, mail_id, at):
        return change
    stored = stores.records.get(change.record_id)
    if stored is None:
        raise PostroomError(f"the number {change.number} is taken by another record")
    return pending_change(stored, mail_id, change.part)


def finish(
    facts: Facts, decision: Decision, cause: Cause, lookups: Lookups, stores: Stores, notices: Sequence[Event]
) -> Outcome:
    """Carry out, store the outcome, and remove the pending entries from the records."""
    if decision.incident:
        made = commit_creation(decision.incident, facts.configuration, cause.mail_id, cause.at, stores)
        stores.barrier()
        decision = replace(decision, incident=made)
    changes = decision.changes
    events = [event for change in changes for event in carry_out(change, cause, stores)] + list(notices)
    judged = [change.record_id for change in changes if change.type in ASKED and change.action == "update"]
    if judged:
        stores.barrier()
    for record_id in judged:
        events += advance(record_id, cause, facts.configuration, lookups, stores)
    store = _reject if decision.ending == "rejected" else _record
    stores.barrier()
    outcome = store(facts, decision, stores, events)
    stores.barrier()
    if changes:
        crash_point("writer.outcome")
    for change in changes:
        stores.records.forget(change.record_id, cause.mail_id)
    for record_id in judged:
        forget(record_id, cause, stores)
    return outcome


def _record(facts: Facts, decision: Decision, stores: Stores, events: Sequence[Event]) -> Outcome:
    """Store the outcome with the events, so that a redelivery emits the same ones."""
    made = labels_of([change for change in decision.changes if change.action != "none"])
    records = [*made, *(each for each in facts.linked if each not in made)]
    mail_id, reason = facts.envelope.mail_id, decision.reason
    outcome: OutcomeName = "commanded" if decision.ending == "commanded" else "recorded"
    new = stores.mails.finish(mail_id, outcome, reason=reason, records=records, events=events)
    return Emit(tuple(events), note=reason, ended=_ended(facts, outcome) if new else None)


def _reject(facts: Facts, decision: Decision, stores: Stores, events: Sequence[Event]) -> Outcome:
    """No record is changed: the mail's own document is the commit point."""
    mail_id, rule, reason = facts.envelope.mail_id, decision.step, decision.reason
    announcement = (MailRejected(mail_id, facts.inbox.name, rule, reason),) if decision.announced else ()
    all_events = (*events, *announcement)
    new = stores.mails.finish(mail_id, "rejected", reason=reason, rule=rule, events=all_events)
    return Emit(all_events, note=f"{rule}: {reason}", ended=_ended(facts, "rejected", rule) if new else None)


def _ended(facts: Facts, outcome: OutcomeName, rule: str = "") -> MailEnded:
    return MailEnded(outcome, facts.inbox.name, from_iso(facts.envelope.received_at), rule)


def _export(facts: Facts, decision: Decision, stores: Stores) -> Outcome:
    """The mail has its outcome when the exporter has handed the document over (IV-40)."""
    assert decision.export is not None  # an export's ending has one
    blob = stores.mails.documents.put_blob(decision.export.document)
    return emit(ExportWanted(facts.envelope.mail_id, facts.inbox.name, decision.export.connection, blob))


def decided_before(mail: StoredMail, stores: Stores) -> Outcome:
    """Emit the stored events of a mail that has its outcome; remove pending entries that a crash left behind."""
    touched = [label.id for label in mail.records]
    aimed = [target.record_id for target in mail.targets or () if target.record_id]
    for record_id in dict.fromkeys([*touched, *aimed]):
        stores.records.forget(record_id, mail.id)
        if mail.outcome == "commanded" and (record := stores.records.get(record_id)) and record.parent:
            stores.records.forget(record.parent, mail.id)
    return Emit(mail.events, note="decided before")


def commit_incident(
    request: IncidentWanted, mail: StoredMail, configuration: Configuration, now: datetime, stores: Stores
) -> Outcome:
    """Create Incident On Error: the mail's outcome is `dead`, with the incident linked (IV-37)."""
    documents = stores.mails.documents
    planned = plan_incident(
        request, mail, configuration, now, stores.people, lambda: stores.mails.source(mail), documents.put_blob
    )
    lookups = StoreLookups(stores, configuration.settings.plus_addressing)
    planned = settled(planned, None, Occasion(configuration, lookups, now))
    sending = outgoing_about(new_record(planned, now), configuration) if planned.messages else SendingSide()
    cause = Cause(request.mail_id, request.inbox, now, sending)
    made = commit_creation(planned, configuration, cause.mail_id, cause.at, stores) or _as_made(planned, stores)
    stores.barrier()
    events = carry_out(made, cause, stores)
    stores.mails.link(request.mail_id, labels_of([made]))
    stores.dead_letters.name_incident(request.letter_id, made.number)
    stores.barrier()
    stores.records.forget(made.record_id, request.mail_id)
    return Emit(tuple(events), note=f"incident on error {made.number}")


def plan_incident(
    request: IncidentWanted,
    mail: StoredMail,
    configuration: Configuration,
    now: datetime,
    people: People,
    read: Callable[[], bytes],
    keep: Callable[[bytes], object],
) -> Change:
    """The incident for a dead letter. `read` gives the mail's bytes, `keep` stores it without restricted files."""
    inbox = configuration.inbox(request.inbox)
    failed = failed_mail(mail, _customer(request, mail, inbox, configuration, people))
    if patterns := configuration.settings.restricted_attachments:
        failed = failed.without_restricted(read(), patterns, keep)
    return plan_incident_on_error(request, failed, inbox, configuration, now)


def _customer(
    request: IncidentWanted, mail: StoredMail, inbox: Inbox | None, configuration: Configuration, people: People
) -> Customer:
    """The person who has the sender's address; a new one only for a mail that would have become a record (IV-25)."""
    address = with_domain(mail.from_, inbox.default_domain if inbox else None)
    settings = configuration.settings
    found = people.with_address(address.address, plus_addressing=settings.plus_addressing) if address else None
    if found or inbox is None or request.stage != "record-writer":
        return Customer(found.id if found else None)
    return customer_of_failed(Sender(address), inbox, settings)


def _as_made(change: Change, stores: Stores) -> Change:
    """The change with the number that its record got when it was created."""
    made = stores.records.get(change.record_id)
    return replace(change, number=made.number, serial=made.serial) if made else change


def labels_of(changes: Sequence[Change]) -> list[RecordLabel]:
    """Records as the mail points to them, each once."""
    labels = {change.record_id: RecordLabel(change.record_id, change.type, change.number) for change in changes}
    return list(labels.values())
