"""Business rules: what the desk does by itself when a record changes (TI-33). Pure.

A rule whose event has happened, and whose conditions hold, sets fields and writes to people; it leaves an activity of
what it did. Rules are asked in the order of the configuration, each with the record as the rules before it leave it.
When a rule itself resolves, closes or reopens the record, the rules of that event are asked too, after this round. A
rule acts at most once on each change, so that rules never run in circles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from services.record_writer.decide.automation.recipients import RuleRecipient, Situation, recipients_of
from services.record_writer.decide.automation.rule_mail import About, message
from services.record_writer.decide.facts import UNSPECIFIED, Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.record import values
from services.record_writer.decide.record.life import event_of
from shared.addresses import mailbox_key
from shared.conditions import Compared, holds
from shared.config.calendars import may_notify
from shared.config.keys import MAIL_RECEIVED
from shared.config.model import BusinessRule, Configuration, RecordType
from shared.contracts.change import Activity, Change, Notification
from shared.lazy_dataclass import dataclass
from shared.record_values import value_of
from shared.store.record import Record, after_change, forwarding
from shared.typed import BadValue

RULE: Final = "rule"
"""The kind of the activity that says what a rule did."""
AUTHOR: Final = "business rules"
OF_TARGETS: Final[Mapping[str, str]] = MappingProxyType({"sla_due": "sla.due", "sla_breached": "sla.breached"})
"""The event of a Change → the event that rules name, where the two differ."""
MOVES_ON: Final = frozenset({"resolved", "closed", "reopened"})
_SHOWN: Final = 100
_LABELS: Final = {column: name for name, column in values.PROPERTY.items()}


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a record changes: by a mail (`facts`), or because a target of a service level (`sla`, `target`) is near.

    `due` is the target's time in words. `by_desk`: somebody who works at the desk makes the change.
    """

    configuration: Configuration
    lookups: Lookups
    now: datetime
    facts: Facts | None = None
    sla: str = ""
    target: str = ""
    due: str = ""
    by_desk: bool = False


def with_rules(change: Change, before: Record | None, occasion: Occasion) -> Change:
    """The change with what the rules add to it, and to the records below that it makes. `before` None: a new record."""
    if change.action == "none" or not occasion.configuration.business_rules:
        return change
    type_ = occasion.configuration.type_named(change.type)
    if type_ is None:
        return change
    below = tuple(with_rules(each, None, replace(occasion, facts=None)) for each in change.subordinates)
    return _Round(replace(change, subordinates=below), before, type_, occasion).run()


@dataclass(slots=True)
class _Round:
    """The rules on one change. `change` grows with each rule that acts."""

    change: Change
    before: Record | None
    type_: RecordType
    occasion: Occasion
    _made: tuple[Change, Record] | None = None

    def run(self) -> Change:
        """Ask the rules of the events that have happened, then those of the events that rules caused."""
        events, happened, acted = [self._events()], {*self._events()}, set[str]()
        while events:
            asked = events.pop(0)
            for rule in self.occasion.configuration.business_rules:
                if rule.name in acted or not rule.enabled or not asked & {*rule.on} or not self._holds(rule):
                    continue
                acted.add(rule.name)
                caused = self._act(rule, sorted(asked & {*rule.on}))
                if caused and caused not in happened:
                    happened.add(caused)
                    events.append({caused})
                if rule.stop:
                    return self.change
        return self.change

    def _events(self) -> set[str]:
        event, type_ = self.change.event, self.type_.name
        if event in OF_TARGETS:
            return {OF_TARGETS[event]}
        updated = {f"{type_}.updated"} if event in MOVES_ON else set()
        received = {MAIL_RECEIVED} if self.occasion.facts else set()
        return {f"{type_}.{event}"} | updated | received

    @property
    def record(self) -> Record:
        """The record as the change leaves it so far; made again only when the change has grown."""
        if self._made is None or self._made[0] is not self.change:
            self._made = self.change, after_change(self.change, self.before, self.occasion.now)
        return self._made[1]

    def _holds(self, rule: BusinessRule) -> bool:
        record = self.record if rule.when else None
        return all(holds(condition, self._value(name, record)) for name, condition in rule.when.items())

    def _value(self, name: str, record: Record | None) -> Compared:
        if name.startswith("@"):
            return Compared(said_of(name, self.occasion))
        return Compared(value_of(record, name), value_of(self.before, name), is_change=True)

    def _act(self, rule: BusinessRule, on: list[str]) -> str | None:
        """Let a rule act; the event that its fields cause, if they do."""
        before = self.record
        done = [*self._set(rule, before), *self._notify(rule, on)]
        text = f"{rule.name} ({', '.join(on)}): {'; '.join(done) or 'nothing to change'}"
        note = Activity(RULE, text, AUTHOR, security_profile=UNSPECIFIED)
        self.change = replace(self.change, activities=(*self.change.activities, note))
        caused = event_of(self.type_, before.status, self.record.status)
        if caused == "updated":
            return None
        if self.change.event == "updated":
            self.change = replace(self.change, event=caused)
        return f"{self.type_.name}.{caused}"

    def _set(self, rule: BusinessRule, record: Record) -> Iterator[str]:
        """Set the fields of a rule, and say which have changed."""
        action = self.occasion.configuration.quick_action(rule.quick_action or "")
        if rule.quick_action and (action is None or action.on != self.type_.name):
            why = f"it is for {action.on}" if action else "it does not exist any more"
            yield f"the quick action {rule.quick_action} was left out: {why}"
            action = None
        stated = {**(action.set if action else {}), **rule.set}
        try:
            own, fields = values.split(values.commanded(self.type_, stated), self.occasion.lookups)
        except BadValue as error:
            yield f"nothing was set: {error}"
            return
        moved = {name: value for name, value in own.items() if getattr(record, name) != value}
        changed = {name: value for name, value in fields.items() if record.fields.get(name) != value}
        if moved or changed:
            self.change = _with_values(self.change, moved, changed, self.before and record)
        for name, value in moved.items():
            if name in _LABELS:
                yield f"{_LABELS[name]}: {_shown(getattr(record, name))} → {_shown(value)}"
        for name, value in changed.items():
            yield f"{name}: {_shown(record.fields.get(name))} → {_shown(value)}"

    def _notify(self, rule: BusinessRule, on: list[str]) -> Iterator[str]:
        """Write to the people of a rule, and say to whom, or why not."""
        if (notify := rule.notify) is None:
            return
        template, configuration = (
            self.occasion.configuration.mail_template(notify.template),
            self.occasion.configuration,
        )
        if template is None:
            yield f"no mail: the template {notify.template} does not exist any more"
            return
        if not may_notify(rule, self.occasion.now, configuration):
            yield "no mail at this time of day"
            return
        record, occasion = self.record, self.occasion
        situation = Situation(record, self.change.person, occasion.facts, configuration, occasion.lookups)
        about = About(record, self.before, self.type_, occasion.facts, configuration, occasion.lookups)
        extra = {"event": on[0], "rule": rule.name, "sla": occasion.sla, "target": occasion.target, "due": occasion.due}
        found = list(recipients_of(notify.to, situation))
        for recipient in found:
            if why := refusal(recipient, occasion):
                yield f"no mail to {recipient.address}: {why}"
                continue
            self._send(message(template, recipient, about, extra))
            yield f"{template.name} to {recipient.address}"
        if not found:
            yield f"nobody to write to: {', '.join(notify.to)}"

    def _send(self, mail: Notification) -> None:
        self.change = replace(self.change, messages=(*self.change.messages, mail))


def _with_values(change: Change, own: Mapping[str, Any], fields: Mapping[str, Any], record: Record | None) -> Change:
    """The change with more values. `record`: the one that it changes, as it was before these; None for a new one."""
    moved = forwarding(record, None, own) if record else {}
    return replace(
        change,
        set=values.pairs({**{each.name: each.value for each in change.set}, **own, **moved}),
        fields=values.pairs({**{each.name: each.value for each in change.fields}, **fields}),
    )


def refusal(recipient: RuleRecipient, occasion: Occasion) -> str | None:
    """Why a mailbox gets no mail, if it gets none: automatic mail is not answered, and the limits hold (PR-02)."""
    if recipient.is_author and occasion.facts and not occasion.facts.answers:
        return "automatic mail is not answered"
    if recipient.is_desk:
        return None
    cap, since = occasion.configuration.settings.automatic_mail_cap, occasion.now
    counted = occasion.lookups.sent_since
    if counted("to_key", mailbox_key(recipient.address) or "", since - cap.per) >= cap.per_address:
        return f"the limit automatic_mail_cap.per_address ({cap.per_address}) is reached"
    if recipient.stranger_domain is None:
        return None
    if counted("stranger_domain", recipient.stranger_domain, since - cap.per) >= cap.per_domain:
        return f"the limit automatic_mail_cap.per_domain ({cap.per_domain}) is reached"
    if counted("to_stranger", True, since - cap.per) >= cap.all_strangers:
        return f"the limit automatic_mail_cap.all_strangers ({cap.all_strangers}) is reached"
    return None


def said_of(name: str, occasion: Occasion) -> str | None:
    """What the mail says, or which target is meant: the value of `@Subject`, `@Target` and their like."""
    key, facts = name.casefold(), occasion.facts
    if key in {"@sla", "@target"}:
        return occasion.sla if key == "@sla" else occasion.target
    return _OF_MAIL[key](facts) if facts and key in _OF_MAIL else None


def _shown(value: object) -> str:
    text = "nothing" if value in {None, ""} else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


_OF_MAIL: Final[Mapping[str, Callable[[Facts], str | None]]] = MappingProxyType(
    {
        "@subject": lambda facts: facts.mail.subject,
        "@body": lambda facts: facts.mail.new_text or facts.mail.text,
        "@from": lambda facts: facts.sender.address.address if facts.sender.address else None,
        "@to": lambda facts: ", ".join(each.address for each in facts.mail.to),
        "@cc": lambda facts: ", ".join(each.address for each in facts.mail.cc),
        "@inbox": lambda facts: facts.inbox.name,
        "@attachments": lambda facts: ", ".join(each.filename for each in facts.mail.attachments),
    }
)
