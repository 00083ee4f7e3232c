"""Approvals below a record: what they decide together, whom they ask, and how the record above moves on (VF-18). Pure.

An approval is a record of that type, or a task that lies below a record and has an owner: who owns it decides it. What
its record above does then is the desk's rule for its type (`approvals` of the configuration). The outcome is stored
with the record above, so that it is carried out once, and a later verdict changes it no more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from services.record_writer.decide.answers.automatic_mail import notification
from services.record_writer.decide.answers.wording import name_of
from services.record_writer.decide.facts import UNSPECIFIED
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.record import values
from services.record_writer.decide.record.life import event_of
from services.record_writer.decide.record.update import MOVES, NOBODY
from shared.config.model import APPROVAL, ApprovalRule, Configuration, RecordType
from shared.contracts.change import Activity, Change, Notification
from shared.lazy_dataclass import dataclass
from shared.mail_text.built_in import BUILT_IN
from shared.mail_text.render import Value, filled, render
from shared.mail_text.values import desk_values, facts_of_record, keyword, record_values
from shared.store.outbox import REPLY_LINK
from shared.store.record import Record, ids_below

APPROVED: Final = "approved"
REJECTED: Final = "rejected"
APPROVED_TYPES: Final = frozenset({"service_request", "change"})
"""Types whose tasks with an owner are approvals, even where the desk has no rule for them."""
AUTHOR: Final = "approvals"
IN_ORDER: Final = "in_order"
ASKED: Final = frozenset({APPROVAL, "task"})
"""Types whose owners may be asked for a decision."""
KIND: Final = "approval"
"""The kind of a mail that asks for a decision, and the name of its words."""


def is_approval(record: Record) -> bool:
    """Whether somebody is to decide this record."""
    return record.type == APPROVAL or bool(record.parent and record.owner)


def asks_for_decision(record: Record, parent: Record | None, configuration: Configuration) -> bool:
    """Whether its owner is to be asked: of an approval below a record, and of a task below one that is approved."""
    if parent is None or not is_approval(record):
        return False
    is_approved = parent.type in APPROVED_TYPES or configuration.approval_rule(parent.type) is not None
    return record.type == APPROVAL or is_approved


def verdict_of(record: Record) -> str | None:
    """`approved` or `rejected`: by a command, or by the status that an operator gave; None while it is pending."""
    if record.verdict:
        return record.verdict
    return record.status.casefold() if record.status.casefold() in {APPROVED, REJECTED} else None


@dataclass(frozen=True, slots=True)
class Round:
    """The approvals below one record, in the order in which they were made, and the rule that holds for them."""

    rule: ApprovalRule
    approvals: tuple[Record, ...]

    @property
    def outcome(self) -> str | None:
        """What they decide together; None as long as that is open."""
        verdicts = [verdict_of(each) for each in self.approvals]
        if self.rule.decide == "any_of":
            if APPROVED in verdicts:
                return APPROVED
            return REJECTED if verdicts and None not in verdicts else None
        if REJECTED in verdicts:
            return REJECTED
        return APPROVED if verdicts and None not in verdicts else None

    @property
    def turns(self) -> tuple[Record, ...]:
        """The approvals that are to be decided now: all that are pending, or the first of them."""
        pending = tuple(each for each in self.approvals if verdict_of(each) is None)
        return pending[:1] if self.rule.decide == IN_ORDER else pending

    def with_verdict(self, record: Record, verdict: str) -> Round:
        """The same, with this record decided."""
        changed = (replace(each, verdict=verdict) if each.id == record.id else each for each in self.approvals)
        return replace(self, approvals=tuple(changed))


def approvals_below(parent: Record, lookups: Lookups) -> list[Record]:
    """The approvals below a record, without those that were deleted, or went on with it into another record."""
    below = (lookups.record(id_) for id_ in ids_below(parent.id, lookups.links(parent.id)))
    return [each for each in below if each and is_approval(each) and not each.deleted and each.is_below(parent.id)]


def is_pending(record: Record, configuration: Configuration) -> bool:
    """Whether an approval is still to be decided."""
    return not _is_closed(record, configuration)


def round_below(parent: Record | None, configuration: Configuration, lookups: Lookups) -> Round | None:
    """The approvals below a record; None when the desk has no rule for its type.

    Closed tasks are done, not decided. A verdict counts while its record is closed: whoever opens it wants another one.
    """
    rule = configuration.approval_rule(parent.type) if parent else None
    if parent is None or rule is None:
        return None
    found = approvals_below(parent, lookups)
    below = [each if _is_closed(each, configuration) else replace(each, verdict=None) for each in found]
    counted = (each for each in below if verdict_of(each) or not _is_closed(each, configuration))
    return Round(rule, tuple(sorted(counted, key=lambda each: (str(each.created_at), each.type, each.serial))))


def _is_closed(record: Record, configuration: Configuration) -> bool:
    type_ = configuration.type_named(record.type)
    return type_ is None or type_.statuses.group(record.status) == "closed"


def plan_above(parent: Record, round_: Round | None, configuration: Configuration) -> Change | None:
    """How the record above moves on; None when the outcome is open, was carried out before, or comes too late."""
    type_ = configuration.type_named(parent.type)
    outcome = round_.outcome if round_ else None
    if type_ is None or round_ is None or outcome is None or parent.approval or parent.deleted:
        return None
    stated = {APPROVED: round_.rule.approved, REJECTED: round_.rule.rejected}[outcome]
    too_late = type_.statuses.group(parent.status) == "closed"
    status = parent.status if stated is None or too_late else stated
    numbers = ", ".join(each.number for each in round_.approvals)
    text = f"The approvals below ({numbers}) have the outcome: {outcome}"
    own: dict[str, Any] = {"approval": outcome, "updated_by_mail": True, "status": status}
    return values.revision(
        parent,
        event_of(type_, parent.status, status),
        set=values.pairs(own),
        activities=(_note("note", text), *_move(parent.status, status)),
        why=(text,),
    )


def _move(before: str, after: str) -> tuple[Activity, ...]:
    name = next(name for name, kind in MOVES.items() if kind == "status")
    return () if before == after else (_note("status", f"{name}: {before or NOBODY} → {after}"),)


def _note(kind: str, text: str) -> Activity:
    return Activity(kind, text, AUTHOR, security_profile=UNSPECIFIED)


def request_to(
    record: Record, parent: Record | None, configuration: Configuration, lookups: Lookups
) -> Notification | None:
    """The mail that asks the owner of an approval for a decision; None without an owner who has an address.

    Its links write the two commands to an address that proves who answers (`shared.reply_tokens`).
    """
    type_ = configuration.type_named(record.type)
    person = lookups.person(record.owner) if record.owner else None
    if type_ is None or person is None or not person.addresses:
        return None
    inbox = configuration.inbox((parent.inbox if parent else None) or "") or configuration.default_inbox
    given = {**desk_values(configuration, inbox), **_values(record, type_, parent, configuration, lookups)}
    own = configuration.mail_template(KIND)
    language = person.language or (inbox.language if inbox else None)
    words = render(own, given, language) if own else filled(BUILT_IN[KIND].words, given)
    if record.number.casefold() not in words.subject.casefold():
        words = replace(words, subject=f"{keyword(configuration, type_, record.number)} {words.subject}")
    return notification(person.addresses[:1], KIND, words, None, person.name if person.configured else "")


def _values(
    record: Record, type_: RecordType, parent: Record | None, configuration: Configuration, lookups: Lookups
) -> dict[str, Value]:
    commands = {name: f"[{name.upper()}#{record.number}]" for name in ("approve", "reject")}
    return {
        **record_values(configuration, facts_of_record(record, type_, name_of(lookups))),
        "parent": f"{parent.number}: {parent.subject}" if parent else "",
        **commands,
        **{f"{name}_link": f"{REPLY_LINK}?subject={quote(text)}" for name, text in commands.items()},
    }
