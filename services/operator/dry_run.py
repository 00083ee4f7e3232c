"""The whole pipeline on one mail, without writing anything: what would happen, and why.

The same rules, matchers, strategies and plans as the stages use, on the desk as it stands. Numbers are shown as
they would be given now; nothing is counted. What waits in the pipeline (a reply to a mail that is still on its way)
is shown as it would end if that mail never came.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from services.filter import stage as filter_stage
from services.parser import guarded
from services.record_writer.carry_out import changed_properties
from services.record_writer.decide import create, export
from services.record_writer.decide.body import Block
from services.record_writer.decide.error import plan_incident_on_error
from services.record_writer.decide.facts import Facts, Serials
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
from services.record_writer.decide.target import PATIENCE, Lookups, Target
from services.record_writer.decide.update import plan_update
from services.sender_matcher.match import match_object, match_person
from shared.app import App
from shared.contracts import codec
from shared.contracts.desk import XML_EXPORT, Configuration, Inbox
from shared.contracts.events import Envelope, IncidentWanted, MailParsed, Sender
from shared.contracts.mail import ParsedMail
from shared.contracts.service import Activity, Change, FieldValue, NewPerson, Notification
from shared.errors import BoundExceeded, Misconfigured
from shared.ids import mail_id
from shared.store.documents import Document
from shared.store.people import with_domain
from shared.store.records import Records
from shared.text import from_iso, iso, shortened
from shared.typed import BadValue

MAX_WHY = 500
"""Characters of one step's explanation."""
NOT_YET = "(given when the letter is kept)"
"""Stands where an incident on error names its dead letter."""


class Numbers:
    """The numbers that records would get, without giving any out."""

    def __init__(self, records: Records) -> None:
        self.records, self.given = records, Counter[str]()

    def __call__(self, type_: str) -> int:
        """The next number of a type, after those asked for before."""
        self.given[type_] += 1
        return self.records.peek_serial(type_) + self.given[type_] - 1


@dataclass(slots=True)
class Trace:
    """What would happen to a mail; `as_json` is the shape that the command line promises."""

    mail: ParsedMail | None
    records: Records
    outcome: str = "recorded"
    reason: str | None = None
    steps: list[dict[str, str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    notices: list[Notification] = field(default_factory=list)

    def step(self, stage: str, step: str, decision: str, why: str) -> None:
        """Note one decision."""
        self.steps.append({"stage": stage, "step": step, "decision": decision, "why": why})

    def end(self, outcome: str, reason: str) -> Trace:
        """The outcome, and why."""
        self.outcome, self.reason = outcome, reason
        return self

    def every_change(self) -> list[tuple[Change, Change | None]]:
        """All changes, each with the one that it lies below."""
        found: list[tuple[Change, Change | None]] = []
        for change in self.changes:
            found += [(each, None) for each in change.objects]
            found += [(change, None), *((each, change) for each in change.subordinates)]
        return found

    def notifications(self) -> list[Notification]:
        """Every mail that would be written."""
        return [*(each for change, _ in self.every_change() for each in change.notifications), *self.notices]

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        every = self.every_change()
        known = {change.record_id: change for change, _ in every}
        return {
            "mail": codec.mail_to_json(self.mail) if self.mail else None,
            "outcome": self.outcome,
            "reason": self.reason,
            "trace": self.steps,
            "changes": [self._shown(change, above, known) for change, above in every if change.action != "none"],
            "notifications": [
                {"to": list(each.to), "subject": each.subject, "text": each.text, "kind": each.kind}
                for each in self.notifications()
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
        record = self.records.get(record_id) or {}
        return {"relationship": relationship, "type": record.get("type"), "number": record.get("number")}


def _person(change: Change) -> dict[str, Any] | None:
    new = change.person
    return {"id": new.id, "name": new.name, "address": new.address, "kind": new.kind} if new else None


def _activity(each: Activity) -> dict[str, Any]:
    kept = ("filename", "content_type", "size", "sha256")
    return {
        "kind": each.kind,
        "by": each.by,
        "text": each.text,
        "attachments": [{key: getattr(file, key) for key in kept} for file in each.attachments],
        "security_profile": each.security_profile,
    }


def _values(values: tuple[FieldValue, ...]) -> dict[str, Any]:
    return {value.name: value.value for value in values}


def trace(app: App, raw: bytes, inbox_name: str | None = None) -> Trace:
    """What would happen to these bytes in this inbox (None: the default one). Raises `Misconfigured`."""
    configuration = app.directory.renew()
    inbox = configuration.inbox(inbox_name) if inbox_name else configuration.default_inbox
    if inbox is None:
        raise Misconfigured(f"there is no inbox {inbox_name!r}; `postroom inbox list` shows those that are")
    sha256 = hashlib.sha256(raw).hexdigest()
    envelope = Envelope(mail_id(inbox.name, None, sha256), inbox.name, iso(app.clock.now()))
    try:
        parsed = MailParsed(envelope, guarded.read(raw).mail)
    except BoundExceeded as error:
        return _unreadable(app, error, envelope, configuration, raw)
    found = Trace(parsed.mail, app.records)
    found.step("parser", "read", parsed.mail.kind, ", ".join(parsed.mail.defects) or "no defects")
    known = app.mails.get(envelope.mail_id)
    if known and known["outcome"]:
        why = f"this mail was {known['outcome']} before and would change nothing; as a new one it would go on like this"
        found.step("parser", "duplicate", "known", why)
    return _filtered(app, parsed, inbox, configuration, raw=raw, found=found)


def _unreadable(app: App, error: BoundExceeded, envelope: Envelope, configuration: Configuration, raw: bytes) -> Trace:
    found = Trace(None, app.records)
    found.step("parser", "read", "failed", str(error))
    reason = f"the mail exceeds a bound: {error}"
    mail = {"subject": f"(unreadable: {error.bound})", "size": len(raw), "raw": hashlib.sha256(raw).hexdigest()}
    return _dead(app, found, envelope, configuration, mail, stage="parser", reason=reason)


def _filtered(
    app: App, parsed: MailParsed, inbox: Inbox, configuration: Configuration, *, raw: bytes, found: Trace
) -> Trace:
    facts = filter_stage.gather(parsed, inbox, configuration, mails=app.mails, people=app.people)
    facts = replace(facts, header_of=partial(filter_stage.header_in, raw))
    if filter_stage.released(app.mails, parsed.envelope.mail_id):
        found.step("filter", "released", "accepted", "an operator has released it")
    elif objection := filter_stage.objection(facts):
        found.step("filter", objection[0], "rejected", objection[1])
        return found.end("rejected", objection[1])
    answers = filter_stage.may_be_answered(parsed)
    found.step("filter", "rules", "accepted", "no rule objects" if answers else "no rule objects; nobody is answered")
    return _matched(app, parsed, inbox, configuration, answers=answers, found=found)


def _matched(
    app: App, parsed: MailParsed, inbox: Inbox, configuration: Configuration, *, answers: bool, found: Trace
) -> Trace:
    address = with_domain(parsed.mail.from_, inbox.default_domain)
    sender = match_person(address, configuration.settings, app.people)
    object_type, object_id = match_object(sender, inbox, app.records)
    sender = replace(sender, object_type=object_type, object_id=object_id)
    _tell_sender(app, inbox, sender, found)
    facts = Facts(
        envelope=parsed.envelope,
        mail=parsed.mail,
        sender=sender,
        inbox=inbox,
        configuration=configuration,
        now=app.clock.now(),
        serials=Numbers(app.records),
        raw=parsed.mail.sha256,
        answers=answers,
        sent_since=app.outbox.sent_since,
        people=partial(app.people.named, plus_addressing=configuration.settings.plus_addressing),
        released=filter_stage.released(app.mails, parsed.envelope.mail_id),
    )
    return _planned(app, facts, found)


def _tell_sender(app: App, inbox: Inbox, sender: Sender, found: Trace) -> None:
    who = f"{sender.name} ({', '.join(sender.roles)})" if sender.person_id else "nobody is known by this address"
    found.step("sender-matcher", "person", sender.person_id or "unknown", who)
    if inbox.sender.method != "object" or inbox.sender.object is None:
        return
    name, value = inbox.sender.object.matched_by(sender.address.address if sender.address else "")
    record = app.records.get(sender.object_id) if sender.object_id else None
    decision = record["number"] if record else "unknown"
    found.step("sender-matcher", "object", decision, f"{inbox.sender.object.type} by {name} = {value!r}")


def _planned(app: App, facts: Facts, found: Trace) -> Trace:
    if facts.inbox.processor == XML_EXPORT:
        return _exported(app, facts, found)
    try:
        targets = _targets(app, facts, found)
    except BadValue as error:
        if refused := sender_refusal(facts):
            found.step("record-writer", "sender", "rejected", refused)
            return found.end("rejected", refused)
        found.step("record-writer", "body", "failed", str(error))
        return _failed(app, facts, found, str(error), incident=True)
    for aim in targets if all(aim.kind == "reject" for aim in targets) else ():
        found.step("record-writer", aim.step, "rejected", aim.why)
        return found.end("rejected", aim.why)
    failures: list[Failure] = []
    refusals: list[Failure] = []
    for part, (aim, block) in enumerate(zip(targets, blocks_of(facts), strict=False)):
        found.step("record-writer", aim.step, aim.kind, aim.why)
        try:
            found.changes += _change_of(app, facts, aim, block, part=str(part), found=found)
        except Refused as refused:
            found.step("record-writer", "sender", "refused", str(refused))
            refusals.append(Failure(part, aim, str(refused)))
        except (BadValue, NoTarget) as error:
            found.step("record-writer", "part", "failed", str(error))
            failures.append(Failure(part, aim, str(error)))
    if refusals and not found.changes and not failures:
        return found.end("rejected", refusals[0].why)
    found.notices += missing_record_notice(facts, targets)
    for notice in found.notices:
        _tell_notice(facts, notice, found)
    return _ended(app, facts, found, [*failures, *refusals])


def _targets(app: App, facts: Facts, found: Trace) -> Sequence[Target]:
    lookups = Lookups(app.records, app.mails, app.outbox)
    targets = targets_of(facts, lookups)
    if waits := next((aim for aim in targets if aim.kind == "wait"), None):
        found.step("record-writer", waits.step, "wait", f"{waits.why}; after {PATIENCE} it goes on without it")
        return targets_of(replace(facts, now=from_iso(facts.envelope.received_at) + PATIENCE), lookups)
    return targets


def _change_of(app: App, facts: Facts, aim: Target, block: Block, *, part: str, found: Trace) -> list[Change]:
    change = _planned_change(app, facts, aim, block, part=part, found=found)
    if change is None:
        return []
    change = _without_what_is_made(change, found.changes)
    _tell_change(facts, change, found)
    return [replace(create.with_why(change, f"{aim.step}: {aim.why}"), part=part)]


def _without_what_is_made(change: Change, earlier: Sequence[Change]) -> Change:
    """A person or object that several parts of a mail need comes to be once, with the first of them."""
    made = {each.record_id for one in earlier for each in one.objects}
    people = {one.person.id for one in earlier if one.person}
    return replace(
        change,
        person=None if change.person and change.person.id in people else change.person,
        objects=tuple(each for each in change.objects if each.record_id not in made),
    )


def _tell_change(facts: Facts, change: Change, found: Trace) -> None:
    """What would come to be, in the order in which it would be written."""
    if new := change.person:
        found.step("record-writer", "person", "create", f"{_called(new)} comes to be, as {new.kind}")
    if change.becomes_user:
        found.step("record-writer", "person", "becomes user", f"{change.becomes_user} is an analyst only, and logs")
    for each in change.objects:
        found.step("record-writer", "object", f"create {each.number}", "it is not there yet, and the inbox makes it")
    why = ", ".join(f"{name} {value!r}" for name, value in _values((*change.set, *change.fields)).items() if value)
    decision = change.action if change.action == "none" else f"{change.action} {change.number}"
    found.step("record-writer", "record", decision, shortened(why or "; ".join(change.why), MAX_WHY))
    for each in change.subordinates:
        found.step("record-writer", "task", f"create {each.number}", "the inbox wants a task for every email")
    for notice in change.notifications:
        _tell_notice(facts, notice, found)


def _called(person: NewPerson) -> str:
    return f"{person.name} <{person.address}>" if person.address else person.name


def _tell_notice(facts: Facts, notice: Notification, found: Trace) -> None:
    found.step("notifier", notice.kind, outgoing(facts)["state"], f"{notice.subject} (to {', '.join(notice.to)})")


def _planned_change(app: App, facts: Facts, aim: Target, block: Block, *, part: str, found: Trace) -> Change | None:
    match aim.kind:
        case "none":
            refuse_strangers(facts)
            raise NoTarget(aim.why)
        case "reject":
            raise Refused(aim.why)
        case "new":
            return create.plan_creation(facts, type_for(facts, aim), block, part=part, related=aim.related)
    stored = app.records.get(aim.record_id) if aim.record_id else None
    record = _as_it_stands(stored, found.changes, facts.now)
    type_ = facts.configuration.type_named(record["type"]) if record else None
    if record is None or type_ is None:
        return None
    return plan_update(facts, type_, record, block, replies=aim.step == "references", part=part)


def _as_it_stands(record: Document | None, earlier: Sequence[Change], at: datetime) -> Document | None:
    """The record as the parts before have left it."""
    if record is None:
        return None
    for change in (each for each in earlier if each.record_id == record["_id"]):
        record = {**record, **changed_properties(change, record, at)}
    return record


def _ended(app: App, facts: Facts, found: Trace, failures: list[Failure]) -> Trace:
    """Parts that fail make one incident; when none could be written, the mail is dead."""
    if failures and not found.changes:
        creating = any(each.aim.kind == "new" and type_for(facts, each.aim).name == "incident" for each in failures)
        reason = failures[0].why if len(failures) == 1 else in_words(failures)
        return _failed(app, facts, found, reason, incident=not creating)
    if found.changes and all(change.action == "none" for change in found.changes):
        return found.end("rejected", refusal_of(found.changes))
    if failures:
        _add_incident(app, facts, found, failures)
    return found.end("recorded", reason_of(found.changes))


def _add_incident(app: App, facts: Facts, found: Trace, failures: Sequence[Failure]) -> None:
    if not facts.inbox.create_incident_on_error:
        last = found.changes[-1]
        found.changes[-1] = replace(last, why=(*last.why, in_words(failures)))
        return
    wanted = IncidentWanted(facts.envelope.mail_id, facts.inbox.name, "", "record-writer", in_words(failures))
    found.step("record-writer", "incident-on-error", "new", wanted.reason)
    found.changes.append(
        _incident(app, facts.inbox, facts.configuration, wanted, mail=_as_stored(facts), serials=facts.serials)
    )


def _failed(
    app: App, facts: Facts, found: Trace, reason: str, *, incident: bool, stage: str = "record-writer"
) -> Trace:
    mail = _as_stored(facts)
    if not incident:
        found.step("dead-letter", "incident-on-error", "none", "the making of an incident is what failed")
        return found.end("dead", reason)
    return _dead(app, found, facts.envelope, facts.configuration, mail, stage=stage, reason=reason)


def _dead(
    app: App,
    found: Trace,
    envelope: Envelope,
    configuration: Configuration,
    mail: Document,
    *,
    stage: str,
    reason: str,
) -> Trace:
    inbox = configuration.inbox(envelope.inbox)
    if inbox is None or not inbox.create_incident_on_error:
        found.step("dead-letter", "incident-on-error", "none", "the inbox wants no incident on error")
        return found.end("dead", reason)
    found.step("dead-letter", "incident-on-error", "new", "the inbox wants an incident on error")
    wanted = IncidentWanted(envelope.mail_id, envelope.inbox, NOT_YET, stage, reason)
    found.changes = [_incident(app, inbox, configuration, wanted, mail=mail, serials=Numbers(app.records))]
    return found.end("dead", reason)


def _incident(
    app: App, inbox: Inbox, configuration: Configuration, wanted: IncidentWanted, *, mail: Document, serials: Serials
) -> Change:
    return plan_incident_on_error(wanted, mail, inbox, configuration, serials=serials, now=app.clock.now())


def _as_stored(facts: Facts) -> Document:
    """What an incident on error reads of the mail's document."""
    from_ = facts.mail.from_
    sender = {"name": from_.name, "address": from_.address} if from_ else None
    return {"subject": facts.mail.subject, "from": sender, "size": facts.mail.size, "raw": facts.raw}


def _exported(app: App, facts: Facts, found: Trace) -> Trace:
    """IV-40: the document is made here too, so that what it holds can be counted on."""
    try:
        refuse_strangers(facts)
    except Refused as refused:
        found.step("record-writer", "sender", "rejected", str(refused))
        return found.end("rejected", str(refused))
    wanted = facts.inbox.export
    if wanted is None or facts.configuration.connection(wanted.connection) is None:
        reason = f"there is no connection {wanted.connection!r}" if wanted else export.no_connection(facts.inbox.name)
        return _failed(app, facts, found, reason, incident=True, stage="exporter" if wanted else "record-writer")
    size = len(export.document(facts, compress=wanted.compress))
    found.step("record-writer", "export", "ExportWanted", f"{size} bytes of XML")
    found.step("exporter", wanted.connection, "exported", "it would be handed to this connection")
    return found.end("exported", f"exported to {wanted.connection}")
