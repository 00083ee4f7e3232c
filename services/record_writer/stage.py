"""Record writer: plan and carry out. The only stage that changes records.

Reads SenderMatched and IncidentWanted, emits RecordChanged and NotificationQueued. What a mail is about is fixed
once on the mail's own document (`claim`); what it does is fixed once on the record (`carry_out`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

from services.record_writer.carry_out import Cause, Desk, carry_out, commit_creation, commit_update, queue_notifications
from services.record_writer.decide import create, export
from services.record_writer.decide.body import Block
from services.record_writer.decide.error import plan_incident_on_error
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.outgoing import outgoing
from services.record_writer.decide.parts import blocks_of, targets_of, type_for
from services.record_writer.decide.replies import (
    Failure,
    NoTarget,
    in_words,
    missing_record_notice,
    reason_of,
    refusal_of,
)
from services.record_writer.decide.sender import Refused, refuse_strangers, sender_refusal
from services.record_writer.decide.target import Lookups, Target
from services.record_writer.decide.update import plan_update
from shared.app import App
from shared.clock import Clock
from shared.contracts import codec
from shared.contracts.desk import XML_EXPORT, Configuration
from shared.contracts.events import Event, ExportWanted, IncidentWanted, MailRejected, SenderMatched
from shared.contracts.service import Change
from shared.errors import PostroomError
from shared.runtime.outcome import Emit, Fail, Outcome, Wait, emit
from shared.runtime.parcel import reader
from shared.runtime.stage import Stage
from shared.runtime.steps import step
from shared.store.dead_letters import DeadLetters
from shared.store.documents import Document
from shared.store.mails import Mails
from shared.typed import BadValue


@dataclass(frozen=True, slots=True)
class Writer:
    """What the writer reads and writes."""

    desk: Desk
    mails: Mails
    dead_letters: DeadLetters
    clock: Clock
    configuration: Callable[[], Configuration]

    def handle(self, event: SenderMatched | IncidentWanted) -> Outcome:
        """Decide the mail once; on every later look carry out what was decided."""
        match event:
            case IncidentWanted():
                return self.write_incident_on_error(event)
            case SenderMatched():
                return self.write(event)

    def write(self, matched: SenderMatched) -> Outcome:
        """One mail: its targets, its changes, its outcome."""
        mail = self.mails.get(matched.envelope.mail_id)
        if mail is None:
            raise PostroomError("the mail's document is missing")
        if mail["outcome"] is not None:
            return self.decided_before(mail)
        facts = self.gather(matched, mail)
        if facts.inbox.processor == XML_EXPORT:
            return self.export(facts)
        try:
            targets = self.targets(facts, mail)
        except BadValue as error:
            refused = sender_refusal(facts)
            return self.reject(facts, "sender", refused) if refused else Fail(str(error), facts.envelope.mail_id)
        if waits := next((each for each in targets if each.kind == "wait"), None):
            return Wait(waits.why)
        if all(each.kind == "reject" for each in targets):
            return self.reject(facts, targets[0].step, targets[0].why)
        return self.change(facts, targets)

    def decided_before(self, mail: Document) -> Outcome:
        """The mail has its outcome: emit the very same events; entries that a crash left behind leave now."""
        touched = [label["id"] for label in mail.get("records", ())]
        aimed = [aim["record_id"] for aim in mail.get("targets") or () if aim["record_id"]]
        for record_id in dict.fromkeys([*touched, *aimed]):
            self.desk.records.forget(record_id, mail["_id"])
        return Emit(_decoded(mail), note="decided before")

    def is_over(self, mail_id: str) -> bool:
        """Whether the mail has its outcome by now."""
        return (self.mails.get(mail_id) or {}).get("outcome") is not None

    def gather(self, matched: SenderMatched, mail: Document) -> Facts:
        """What the plan is made from."""
        configuration = self.configuration()
        inbox = configuration.inbox(matched.envelope.inbox)
        if inbox is None:
            raise PostroomError(f"the inbox {matched.envelope.inbox!r} is gone")
        return Facts(
            envelope=matched.envelope,
            mail=matched.mail,
            sender=matched.sender,
            inbox=inbox,
            configuration=configuration,
            now=self.clock.now(),
            serials=self.desk.records.next_serial,
            raw=mail["raw"],
            answers=matched.answers,
            sent_since=self.desk.outbox.sent_since,
            people=partial(self.desk.people.named, plus_addressing=configuration.settings.plus_addressing),
            released=bool(mail.get("released")),
            linked=tuple(mail.get("records", ())),
            looked_at=bool(mail.get("targets")),
        )

    def targets(self, facts: Facts, mail: Document) -> Sequence[Target]:
        """What each part of this mail is about, as fixed at the first look."""
        found = mail.get("targets") or ()
        if not found:
            decided = targets_of(facts, Lookups(self.desk.records, self.mails, self.desk.outbox))
            if any(each.kind == "wait" for each in decided):
                return decided
            found = self.mails.claim(facts.envelope.mail_id, [asdict(each) for each in decided])
            step("writer.claimed")
        return [Target(**each) for each in found]

    def export(self, facts: Facts) -> Outcome:
        """No record: the mail goes to a connection as XML, and has its outcome when it is there (IV-40)."""
        try:
            refuse_strangers(facts)
        except Refused as refused:
            return self.reject(facts, "sender", str(refused))
        if facts.inbox.export is None:
            return Fail(export.no_connection(facts.inbox.name), facts.envelope.mail_id)
        document = export.document(facts, compress=facts.inbox.export.compress)
        blob = self.mails.documents.put_blob(document)
        return emit(ExportWanted(facts.envelope.mail_id, facts.inbox.name, facts.inbox.export.connection, blob))

    def change(self, facts: Facts, targets: Sequence[Target]) -> Outcome:
        """Commit and carry out every part; parts that fail make one incident together (IV-33)."""
        cause = cause_of(facts)
        changes: list[Change] = []
        failures: list[Failure] = []
        refusals: list[Failure] = []
        for part, (aim, block) in enumerate(zip(targets, blocks_of(facts), strict=False)):
            try:
                if change := self.commit(facts, aim, block, str(part), cause):
                    changes.append(change)
                    step("writer.committed")
            except Refused as refused:
                refusals.append(Failure(part, aim, str(refused)))
            except (BadValue, NoTarget) as error:
                failures.append(Failure(part, aim, str(error)))
        if refusals and not changes and not failures:
            return self.reject(facts, "sender", refusals[0].why)
        failures += refusals
        told = self.tell(facts, targets, cause)
        if failures and not changes:
            return self.fail(facts, failures, told)
        if not changes:
            return self.decided_before(self.mails.get(facts.envelope.mail_id) or {"_id": facts.envelope.mail_id})
        if failures and not facts.inbox.create_incident_on_error:
            changes[-1] = replace(changes[-1], why=(*changes[-1].why, in_words(failures)))
        return self.finish(facts, [*changes, *self.incident_for(facts, failures, cause)], cause, told)

    def commit(self, facts: Facts, aim: Target, block: Block, part: str, cause: Cause) -> Change | None:
        """The committed Change of one part; None when it was carried out before."""
        if aim.kind == "covered":
            return None
        if aim.kind == "none":
            refuse_strangers(facts)
            raise NoTarget(aim.why)
        if aim.kind == "reject":
            raise Refused(aim.why)
        if aim.kind == "new":
            if facts.looked_at and (made := self.desk.records.get(create.record_id(facts, part))):
                return self.desk.records.pending(made, cause.mail_id, part)
            type_ = type_for(facts, aim)
            change = create.plan_creation(facts, type_, block, part=part, related=aim.related)
            change = replace(create.with_why(change, f"{aim.step}: {aim.why}"), part=part)
            return commit_creation(change, cause, self.desk)

        def plan(record: Document) -> Change:
            type_ = facts.configuration.type_named(record["type"])
            if type_ is None:
                raise PostroomError(f"the record type {record['type']!r} is gone")
            change = plan_update(facts, type_, record, block, replies=aim.step == "references", part=part)
            return replace(create.with_why(change, f"{aim.step}: {aim.why}"), part=part)

        is_over = partial(self.is_over, cause.mail_id)
        return commit_update(aim.record_id or "", part, plan, is_over, cause, self.desk)

    def tell(self, facts: Facts, targets: Sequence[Target], cause: Cause) -> list[Event]:
        """Write to the sender about the records that could not be found, if the inbox says so (IV-36)."""
        return queue_notifications(
            missing_record_notice(facts, targets), Change("none", "", "", "", 0, "none"), cause, self.desk
        )

    def finish(self, facts: Facts, changes: Sequence[Change], cause: Cause, told: Sequence[Event] = ()) -> Outcome:
        """Carry out, store the outcome, and let the entries leave."""
        events = [event for change in changes for event in carry_out(change, cause, self.desk)] + list(told)
        touched = [change for change in changes if change.action != "none"]
        if not touched and changes:
            outcome = self.reject(facts, "closed", refusal_of(changes), events)
        else:
            outcome = self.recorded(facts, touched, reason_of(changes), events)
        step("writer.outcome")
        for change in changes:
            self.desk.records.forget(change.record_id, facts.envelope.mail_id)
        return outcome

    def recorded(self, facts: Facts, touched: Sequence[Change], why: str, events: Sequence[Event]) -> Outcome:
        """The outcome, with the events, so that a redelivery emits the very same."""
        made = labels_of(touched)
        records = [*made, *(each for each in facts.linked if each not in made)]
        self.mails.finish(facts.envelope.mail_id, "recorded", reason=why, records=records, emitted=_encoded(events))
        return Emit(tuple(events), note=why)

    def reject(self, facts: Facts, rule: str, reason: str, events: Sequence[Event] = ()) -> Outcome:
        """No record: the mail's own document is the commit point."""
        mail_id = facts.envelope.mail_id
        all_events = (*events, MailRejected(mail_id, facts.inbox.name, rule, reason))
        self.mails.finish(mail_id, "rejected", reason=reason, rule=rule, emitted=_encoded(all_events))
        return Emit(all_events, note=f"{rule}: {reason}")

    def fail(self, facts: Facts, failures: Sequence[Failure], told: Sequence[Event]) -> Outcome:
        """Nothing could be written: the dead-letter path makes the incident, unless incidents are what failed."""
        creating = any(
            failure.aim.kind == "new" and type_for(facts, failure.aim).name == "incident" for failure in failures
        )
        why = failures[0].why if len(failures) == 1 else in_words(failures)
        return Fail(why, facts.envelope.mail_id, incident=not creating, events=tuple(told))

    def incident_for(self, facts: Facts, failures: Sequence[Failure], cause: Cause) -> list[Change]:
        """One incident for the parts of a mail that failed while others were written (IV-33, IV-37)."""
        if not failures or not facts.inbox.create_incident_on_error:
            return []
        reason = in_words(failures)
        mail = self.mails.get(facts.envelope.mail_id) or {}
        wanted = IncidentWanted(facts.envelope.mail_id, facts.inbox.name, "", "record-writer", reason)
        change = self._on_error(wanted, mail)
        committed = commit_creation(change, cause, self.desk)
        return [committed] if committed else []

    def _on_error(self, wanted: IncidentWanted, mail: Document) -> Change:
        configuration, now = self.configuration(), self.clock.now()
        inbox = configuration.inbox(wanted.inbox)
        return plan_incident_on_error(
            wanted, mail, inbox, configuration, serials=self.desk.records.next_serial, now=now
        )

    def write_incident_on_error(self, wanted: IncidentWanted) -> Outcome:
        """Create Incident On Error: the mail's outcome is `dead`, with the incident linked (IV-37)."""
        mail = self.mails.get(wanted.mail_id)
        if mail is None:
            raise PostroomError("the mail's document is missing")
        change = self._on_error(wanted, mail)
        cause = Cause(wanted.mail_id, wanted.inbox, self.clock.now(), {})
        stored = commit_creation(change, cause, self.desk) or self._as_made(change)
        events = carry_out(stored, cause, self.desk)
        self.mails.link(wanted.mail_id, labels_of([stored]))
        self.dead_letters.name_incident(wanted.letter_id, stored.number)
        self.desk.records.forget(stored.record_id, wanted.mail_id)
        return Emit(tuple(events), note=f"incident on error {stored.number}")

    def _as_made(self, change: Change) -> Change:
        """The change with the number that its record got when it was made, once and for all."""
        made = self.desk.records.get(change.record_id) or {}
        return replace(change, number=made.get("number", change.number), serial=made.get("serial", change.serial))


def cause_of(facts: Facts) -> Cause:
    """What carrying out needs to know of the mail and of the sending side."""
    return Cause(facts.envelope.mail_id, facts.inbox.name, facts.now, outgoing(facts))


def labels_of(changes: Sequence[Change]) -> list[dict[str, str]]:
    """Records as the mail's document points to them."""
    labels = {change.record_id: {"type": change.type, "number": change.number} for change in changes}
    return [{"id": record_id, **label} for record_id, label in labels.items()]


def _encoded(events: Sequence[Event]) -> list[dict[str, str]]:
    """Events as a document keeps them, so that a redelivery emits the very same."""
    return [{"type": type(event).__name__, "body": codec.encode(event).decode()} for event in events]


def _decoded(mail: Document) -> tuple[Event, ...]:
    return tuple(codec.decode(each["type"], each["body"].encode()) for each in mail.get("emitted", ()))


def build(app: App) -> Stage:
    """The writer on an app's store and configuration."""
    desk = Desk(app.records, app.people, app.outbox)
    writer = Writer(desk, app.mails, app.dead_letters, app.clock, app.directory.current)
    return Stage("record-writer", "record-writer", writer.handle, reader(app.documents, SenderMatched, IncidentWanted))
