"""The whole pipeline on one mail, without writing anything: what would happen, and why.

Facts are gathered as the stages gather them, and decided by the same functions. Numbers are shown as they would be
given now; no counter changes. A mail that would wait (a reply to a mail that is still on its way) is shown as it would
end if that other mail never came.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, field, replace
from functools import cache
from typing import Any

from services.dead_letter.stage import wants_incident
from services.exporter.stage import no_connection
from services.filter import stage as filter_stage
from services.notifier.permission import expected_state
from services.parser import guarded
from services.parser.mime import Reading
from services.parser.stage import for_desk, unreadable_reason, unreadable_subject
from services.record_writer.commit import plan_incident
from services.record_writer.decide.answers.outgoing import outgoing_about
from services.record_writer.decide.automation.business_rules import Occasion
from services.record_writer.decide.automation.consequences import settled
from services.record_writer.decide.facts import Facts, facts_of, with_reduced
from services.record_writer.decide.model import Decision
from services.record_writer.decide.people.forward import for_original_sender
from services.record_writer.decide.plan import decide
from services.record_writer.decide.recognition.target import MAX_WAIT
from services.record_writer.decide.recognition.token import with_token
from services.record_writer.decide.record.numbers import numbered, numbered_decision
from services.record_writer.decide.trace import TraceStep, rules, trace
from services.record_writer.stage import stores_of
from services.record_writer.store_lookups import StoreLookups
from services.sender_matcher.match import find_object
from services.sender_matcher.stage import match
from shared.app import App
from shared.config.model import Configuration, Inbox
from shared.contracts import codec
from shared.contracts.change import Activity, Change, FieldValue, Notification
from shared.contracts.errors import BoundExceeded, Misconfigured, PostroomError, Unavailable
from shared.contracts.events import Envelope, IncidentWanted, MailAccepted, MailParsed, MailRejected, SenderMatched
from shared.contracts.mail import ParsedMail
from shared.ids import mail_id
from shared.intake import head_of
from shared.lazy_dataclass import dataclass
from shared.sending import as_sent
from shared.store.mails import StoredMail
from shared.store.outbox import SendingSide
from shared.store.record import Record, new_record
from shared.store.records import Records
from shared.text import from_iso, iso

NOT_YET = "(given when the letter is kept)"
"""Shown in place of the dead letter's id in an incident on error."""


class NextNumbers:
    """The numbers that records would get, without giving any out."""

    def __init__(self, records: Records) -> None:
        self.records, self.given = records, Counter[str]()

    def __call__(self, type_: str) -> int:
        """The next number of a type, after those asked for before."""
        self.given[type_] += 1
        return self.records.peek_serial(type_) + self.given[type_] - 1


@dataclass(slots=True)
class DryRun:
    """The result of a dry run; `as_json` has the documented keys of the command line."""

    mail: ParsedMail | None
    records: Records
    outcome: str = "recorded"
    reason: str | None = None
    steps: list[TraceStep] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    notices: tuple[Notification, ...] = ()
    sending: SendingSide = field(default_factory=SendingSide)

    def step(self, stage: str, step: str, decision: str, why: str) -> None:
        """Note one decision."""
        self.steps.append(TraceStep(stage, step, decision, why))

    def end(self, outcome: str, reason: str) -> DryRun:
        """The outcome, and why."""
        self.outcome, self.reason = outcome, reason
        return self

    def every_change(self) -> list[tuple[Change, Change | None]]:
        """All changes, each with its parent change."""
        found: list[tuple[Change, Change | None]] = []
        for change in self.changes:
            found += [(each, None) for each in change.objects]
            found += [(change, None), *((each, change) for each in change.subordinates)]
            found += [(change.above.follows, None)] if change.above and change.above.follows else []
        return found

    def existing_records(self) -> list[Record]:
        """The records that are there already and that the mail would change or be linked with."""
        every = [change for change, _ in self.every_change()]
        ids = {each.record_id: None for each in every}
        ids |= {link.record_id: None for each in every for link in each.links}
        return [record for id_ in ids if (record := self.records.get(id_))]

    def messages(self) -> list[Notification]:
        """What business rules send."""
        every = self.every_change()
        return [as_sent(each, self.sending, change.record_id) for change, _ in every for each in change.messages]

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        every = self.every_change()
        known = {change.record_id: change for change, _ in every}
        return {
            "mail": codec.mail_to_json(self.mail) if self.mail else None,
            "outcome": self.outcome,
            "reason": self.reason,
            "trace": [asdict(step) for step in self.steps],
            "changes": [self._shown(change, above, known) for change, above in every if change.action != "none"],
            "notifications": [
                {"to": list(each.to), "subject": each.subject, "text": each.text, "html": each.html, "kind": each.kind}
                for each in (*self.notices, *self.messages())
            ],
        }

    def _shown(self, change: Change, above: Change | None, known: dict[str, Change]) -> dict[str, Any]:
        links = [(link.relationship, link.record_id) for link in change.links]
        links += [("parent", above.record_id)] if above else []
        return {
            "action": change.action,
            "type": change.type,
            "number": change.number,
            "event": change.event,
            "customer": change.customer,
            "new_person": _person(change),
            "becomes_user": change.becomes_user,
            "set": _values(change.set),
            "fields": _values(change.fields),
            "activities": [_activity(each) for each in change.activities],
            "links": [self._link(name, record_id, known) for name, record_id in links],
        }

    def _link(self, relationship: str, record_id: str, known: dict[str, Change]) -> dict[str, Any]:
        if change := known.get(record_id):
            return {"relationship": relationship, "type": change.type, "number": change.number}
        record = self.records.get(record_id)
        found = {"type": record.type, "number": record.number} if record else {"type": None, "number": None}
        return {"relationship": relationship, **found}


def _person(change: Change) -> dict[str, Any] | None:
    new = change.person
    return {"id": new.id, "name": new.name, "address": new.address, "kind": new.kind} if new else None


def _activity(each: Activity) -> dict[str, Any]:
    kept = ("filename", "content_type", "size", "sha256")
    return {
        "kind": each.kind,
        "by": each.by,
        "subject": each.subject,
        "text": each.text,
        "shortened": each.shortened,
        "attachments": [{key: getattr(file, key) for key in kept} for file in each.attachments],
        "security_profile": each.security_profile,
    }


def _values(values: tuple[FieldValue, ...]) -> dict[str, Any]:
    return {value.name: value.value for value in values}


def dry_run(app: App, raw: bytes, inbox_name: str | None = None) -> DryRun:
    """Dry-run a raw mail in this inbox (None: the default one). Raises `Misconfigured`."""
    configuration = app.directory.renew()
    inbox = configuration.inbox(inbox_name) if inbox_name else configuration.default_inbox
    if inbox is None:
        raise Misconfigured(f"there is no inbox {inbox_name!r}; `postroom inbox list` shows those that are")
    sha256 = hashlib.sha256(raw).hexdigest()
    envelope = Envelope(mail_id(inbox.name, None, sha256), inbox.name, iso(app.clock.now()))
    return _DryRunner(app, configuration, inbox, envelope, sha256, raw, cache(lambda: guarded.read(raw))).run()


def dry_run_stored(
    app: App, mail: StoredMail, raw: bytes, configuration: Configuration, read: Callable[[], Reading]
) -> DryRun:
    """Dry-run a stored mail under a configuration, which need not be the one in force; `read` parses its bytes.

    It is decided as if it came in once more, under its own id and at the time of its arrival.
    """
    inbox = configuration.inbox(mail.inbox)
    if inbox is None:
        return DryRun(None, app.records).end("dead", f"the inbox {mail.inbox!r} is gone")
    envelope = Envelope(mail.id, inbox.name, iso(mail.received_at), history=mail.history)
    return _DryRunner(app, configuration, inbox, envelope, mail.raw, raw, read).run()


@dataclass(frozen=True, slots=True)
class _DryRunner:
    """One mail on its way through the stages' own functions."""

    app: App
    configuration: Configuration
    inbox: Inbox
    envelope: Envelope
    sha256: str
    raw: bytes
    read: Callable[[], Reading]

    def run(self) -> DryRun:
        """Run all stages on the mail and return the result."""
        try:
            mail = for_desk(self.read().mail, self.inbox.name, self.configuration)
        except BoundExceeded as error:
            return self.unreadable(error)
        found = DryRun(mail, self.app.records)
        found.step("parser", "read", mail.kind, ", ".join(mail.defects) or "no defects")
        stored = self.app.mails.get(self.envelope.mail_id)
        if stored and stored.outcome:
            why = (
                f"this mail was {stored.outcome} before and would change nothing; as a new one it would go on like this"
            )
            found.step("parser", "duplicate", "known", why)
        released = stored is not None and stored.released
        verdict = self.filtered(MailParsed(self.envelope, mail), found, released=released)
        if isinstance(verdict, MailRejected):
            return found.end("rejected", verdict.reason)
        return self.decided(self.matched(verdict, found), found, released=released)

    def unreadable(self, error: BoundExceeded) -> DryRun:
        """A mail that exceeds a bound is a dead letter of the parser."""
        found = DryRun(None, self.app.records)
        found.step("parser", "read", "failed", str(error))
        return self.dead(found, "parser", unreadable_reason(error), unreadable_subject(error))

    def filtered(self, parsed: MailParsed, found: DryRun, *, released: bool) -> MailAccepted | MailRejected:
        """The filter's verdict."""
        asked = filter_stage.gather(
            parsed,
            self.inbox,
            self.configuration,
            lambda: self.raw,
            mails=self.app.mails,
            people=self.app.people,
            outbox=self.app.outbox,
        )
        if released:
            found.step("filter", "released", "accepted", "an operator has released it")
        verdict = filter_stage.judge(parsed, asked, lambda: released)
        if isinstance(verdict, MailRejected):
            found.step("filter", verdict.rule, "rejected", verdict.reason)
        else:
            answered = "no rule matched" if verdict.answers else "no rule matched; automatic mail is not answered"
            found.step("filter", "rules", "accepted", answered)
        return verdict

    def matched(self, accepted: MailAccepted, found: DryRun) -> SenderMatched:
        """Note the sender, and the object that the inbox links to."""
        people, records = self.app.people, self.app.records
        matched = match(accepted, self.inbox, self.configuration, people=people, records=records)
        sender, linked = matched.sender, self.inbox.sender.object
        who = f"{sender.name} ({', '.join(sender.roles)})" if sender.person_id else "no person has this address"
        found.step("sender-matcher", "person", sender.person_id or "unknown", who)
        if self.inbox.sender.method == "object" and linked:
            search = find_object(sender, linked, self.configuration.settings, records)
            decision = search.record.number if search.record else "unknown"
            found.step("sender-matcher", "object", decision, f"{linked.type} by {search.field} = {search.value!r}")
        return matched

    def decided(self, matched: SenderMatched, found: DryRun, *, released: bool) -> DryRun:
        """The writer's decision, with the numbers that it would get."""
        facts = facts_of(
            matched, self.as_stored(released=released), self.inbox, self.configuration, self.app.clock.now()
        )
        facts = with_reduced(for_original_sender(facts), self.content, len)
        try:
            decision = self.decide(facts, found)
        except Unavailable:
            raise
        except PostroomError as error:
            decision = Decision("failed", str(error), "part")
        decision, found.sending = replace(decision, notices=self.notices(decision)), decision.outgoing
        found.steps += trace(decision, self.expected_state)
        found.changes, found.notices = decision.changes, decision.notices
        if decision.ending == "failed" and not decision.may_make_incident:
            found.step("dead-letter", "incident-on-error", "none", "the making of an incident is what failed")
            return found.end("dead", decision.reason)
        if decision.ending == "failed":
            return self.dead(found, "record-writer", decision.reason, facts.mail.subject)
        return self.exported(facts, decision, found) if decision.export else found.end(decision.ending, decision.reason)

    def notices(self, decision: Decision) -> tuple[Notification, ...]:
        """The mails as the outbox would keep them."""
        record_id = decision.about.record_id if decision.about else None
        return tuple(as_sent(each, decision.outgoing, record_id) for each in decision.notices)

    def expected_state(self, mail: Notification, sending: SendingSide) -> tuple[str, str]:
        """Whether a mail would leave, through which server and in which format."""
        found = expected_state(mail, sending, self.configuration, self.app.people)
        return found.state, found.why

    def content(self, sha256: str) -> bytes:
        """The bytes of the mail, or of one of its files."""
        return self.raw if sha256 == self.sha256 else bytes(self.read().contents[sha256])

    def as_stored(self, *, released: bool) -> StoredMail:
        """The mail as it would be stored when the writer decides it; only what a decision reads is filled in."""
        received_at = from_iso(self.envelope.received_at)
        mail_id, inbox = self.envelope.mail_id, self.inbox.name
        return StoredMail(id=mail_id, inbox=inbox, raw=self.sha256, received_at=received_at, released=released)

    def decide(self, facts: Facts, found: DryRun) -> Decision:
        """The decision; a mail that would wait is decided as it will be when it has waited long enough."""
        lookups = StoreLookups(stores_of(self.app), self.configuration.settings.plus_addressing)
        facts = with_token(facts, lookups, self.app.reply_tokens)
        decision = decide(facts, lookups)
        if decision.ending == "wait":
            why = f"{decision.reason}; after {MAX_WAIT} it goes on without it"
            found.step("record-writer", decision.step, "wait", why)
            decision = decide(replace(facts, now=from_iso(self.envelope.received_at) + MAX_WAIT), lookups)
        parts = tuple(replace(part, change=self.without_known_person(part.change)) for part in decision.parts)
        decision = replace(decision, parts=parts, incident=self.without_known_person(decision.incident))
        return numbered_decision(decision, self.configuration, NextNumbers(self.app.records))

    def without_known_person(self, change: Change | None) -> Change | None:
        """Leave out a person who exists already."""
        if change is None or change.person is None or self.app.people.get(change.person.id) is None:
            return change
        return replace(change, person=None)

    def exported(self, facts: Facts, decision: Decision, found: DryRun) -> DryRun:
        """The document is handed to its connection, if there is one."""
        assert decision.export is not None  # asked before
        connection = decision.export.connection
        if self.configuration.connection(connection) is None:
            return self.dead(found, "exporter", no_connection(connection), facts.mail.subject)
        found.step("exporter", connection, "exported", "it would be handed to this connection")
        return found.end("exported", decision.reason)

    def dead(self, found: DryRun, stage: str, reason: str, subject: str) -> DryRun:
        """A dead letter, and the incident on error where the inbox wants one."""
        if not wants_incident(self.inbox):
            found.step("dead-letter", "incident-on-error", "none", "the inbox wants no incident on error")
            return found.end("dead", reason)
        found.step("dead-letter", "incident-on-error", "new", "the inbox wants an incident on error")
        request = IncidentWanted(self.envelope.mail_id, self.inbox.name, NOT_YET, stage, reason)
        from_ = found.mail.from_ if found.mail else head_of(self.raw, self.sha256).from_
        mail = replace(self.as_stored(released=False), size=len(self.raw), from_=from_, subject=subject)
        now, people = self.app.clock.now(), self.app.people
        incident = plan_incident(request, mail, self.configuration, now, people, lambda: self.raw, len)
        lookups = StoreLookups(stores_of(self.app), self.configuration.settings.plus_addressing)
        incident = settled(incident, None, Occasion(self.configuration, lookups, now))
        incident = self.without_known_person(incident) or incident
        made = numbered(incident, self.configuration, NextNumbers(self.app.records))
        found.sending = outgoing_about(new_record(made, now), self.configuration)
        found.steps += rules(made, found.sending, self.expected_state)
        found.changes = [made]
        return found.end("dead", reason)
