"""The whole pipeline on one mail, without writing anything: what would happen, and why.

The same rules, matchers, strategies and plans as the stages use, on the desk as it stands. Numbers are shown as
they would be given now; nothing is counted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from services.filter import stage as filter_stage
from services.parser import mime, wire
from services.record_writer import create
from services.record_writer.body import BadValue, Block
from services.record_writer.facts import Facts
from services.record_writer.parts import blocks_of, targets_of
from services.record_writer.stage import type_for
from services.record_writer.target import Lookups, Target
from services.record_writer.update import plan_update
from services.sender_matcher.match import match_object, match_person, with_domain
from shared.app import App
from shared.contracts.desk import Configuration, Inbox
from shared.contracts.events import Envelope, MailParsed
from shared.contracts.mail import ParsedMail
from shared.contracts.service import Change, FieldValue
from shared.errors import BoundExceeded, Misconfigured
from shared.ids import mail_id
from shared.text import iso


@dataclass(slots=True)
class Trace:
    """What would happen to a mail; `as_json` is the shape that the command line promises."""

    mail: ParsedMail | None
    outcome: str = "recorded"
    reason: str | None = None
    steps: list[dict[str, str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def step(self, stage: str, step: str, decision: str, why: str) -> None:
        """Note one decision."""
        self.steps.append({"stage": stage, "step": step, "decision": decision, "why": why})

    def end(self, outcome: str, reason: str) -> Trace:
        """The outcome, and why."""
        self.outcome, self.reason = outcome, reason
        return self

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        every = [each for change in self.changes for each in (change, *change.subordinates)]
        return {
            "mail": wire.to_json(self.mail) if self.mail else None,
            "outcome": self.outcome,
            "reason": self.reason,
            "trace": self.steps,
            "changes": [_change(change) for change in every if change.action != "none"],
            "notifications": [
                {"to": list(each.to), "subject": each.subject, "text": each.text, "kind": each.kind}
                for change in every
                for each in change.notifications
            ],
        }


def trace(app: App, raw: bytes, inbox_name: str | None = None) -> Trace:
    """What would happen to these bytes in this inbox (None: the default one). Raises `Misconfigured`."""
    configuration = app.directory.renew()
    inbox = configuration.inbox(inbox_name) if inbox_name else configuration.default_inbox
    if inbox is None:
        raise Misconfigured(f"there is no inbox {inbox_name!r}; `postroom inbox list` shows those that are")
    sha256 = hashlib.sha256(raw).hexdigest()
    envelope = Envelope(mail_id(inbox.name, None, sha256), inbox.name, iso(app.clock.now()))
    try:
        parsed = MailParsed(envelope, mime.read(raw).mail)
    except BoundExceeded as error:
        return _unreadable(error, inbox)
    found = Trace(parsed.mail)
    found.step("parser", "read", parsed.mail.kind, ", ".join(parsed.mail.defects) or "no defects")
    known = app.mails.get(envelope.mail_id)
    if known and known["outcome"]:
        found.step("parser", "duplicate", "known", f"this mail was {known['outcome']} before; it would change nothing")
    return _filtered(app, parsed, inbox, configuration, found)


def _unreadable(error: BoundExceeded, inbox: Inbox) -> Trace:
    found = Trace(None)
    found.step("parser", "read", "failed", str(error))
    if inbox.create_incident_on_error:
        found.step("dead-letter", "incident-on-error", "IncidentWanted", "the inbox wants an incident on error")
    return found.end("dead", f"the mail exceeds a bound: {error}")


def _filtered(app: App, parsed: MailParsed, inbox: Inbox, configuration: Configuration, found: Trace) -> Trace:
    facts = filter_stage.gather(parsed, inbox, configuration, mails=app.mails, people=app.people)
    if objection := filter_stage.objection(facts):
        found.step("filter", objection[0], "rejected", objection[1])
        return found.end("rejected", objection[1])
    answers = filter_stage.may_be_answered(parsed)
    found.step("filter", "rules", "accepted", "no rule objects" if answers else "no rule objects; nobody is answered")
    return _matched(app, parsed, inbox, configuration, answers, found)


def _matched(
    app: App, parsed: MailParsed, inbox: Inbox, configuration: Configuration, answers: bool, found: Trace
) -> Trace:
    address = with_domain(parsed.mail.from_, inbox.default_domain)
    sender = match_person(address, configuration.settings, app.people)
    object_type, object_id = match_object(sender, inbox, app.records)
    sender = replace(sender, object_type=object_type, object_id=object_id)
    who = f"{sender.name} ({', '.join(sender.roles)})" if sender.person_id else "nobody is known by this address"
    found.step("sender-matcher", f"method:{inbox.sender.method}", sender.person_id or "unknown", who)
    now = app.clock.now()
    cap = configuration.settings.automatic_mail_cap
    facts = Facts(
        envelope=parsed.envelope,
        mail=parsed.mail,
        sender=sender,
        inbox=inbox,
        configuration=configuration,
        now=now,
        serials=app.records.peek_serial,
        raw=parsed.mail.sha256,
        answers=answers,
        answered=lambda: app.outbox.sent_since(address.address, now - cap.per, cap.per_address) if address else 0,
    )
    return _planned(app, facts, found)


def _planned(app: App, facts: Facts, found: Trace) -> Trace:
    targets = targets_of(facts, Lookups(app.records, app.mails, app.outbox))
    for part, (aim, block) in enumerate(zip(targets, blocks_of(facts), strict=False)):
        found.step("record-writer", aim.step, aim.kind, aim.why)
        if aim.kind == "reject":
            return found.end("rejected", aim.why)
        try:
            found.changes += _change_of(app, facts, aim, block, str(part))
        except create.Refused as refused:
            found.step("record-writer", "sender", "rejected", str(refused))
            return found.end("rejected", str(refused))
        except BadValue as error:
            found.step("record-writer", "fields", "failed", str(error))
            return found.end("dead", str(error))
    if found.changes and all(change.action == "none" for change in found.changes):
        return found.end("rejected", f"{found.changes[0].number} is closed and takes no updates")
    return found


def _change_of(app: App, facts: Facts, aim: Target, block: Block, part: str) -> list[Change]:
    match aim.kind:
        case "new":
            return [create.plan_creation(facts, type_for(facts, aim), block, part=part, related=aim.related)]
        case "update":
            record = app.records.get(aim.record_id or "")
            type_ = facts.configuration.type_named(record["type"]) if record else None
            if record and type_:
                return [plan_update(facts, type_, record, block, replies=aim.step == "references", part=part)]
    return []


def _change(change: Change) -> dict[str, Any]:
    return {
        "action": change.action,
        "type": change.type,
        "number": change.number,
        "customer": change.customer,
        "new_person": change.person.address if change.person else None,
        "set": _values(change.set),
        "fields": _values(change.fields),
        "activities": [{"kind": each.kind, "by": each.by, "text": each.text} for each in change.activities],
        "links": [{"relationship": link.relationship, "record": link.record_id} for link in change.links],
    }


def _values(values: tuple[FieldValue, ...]) -> dict[str, Any]:
    return {value.name: value.value for value in values}
