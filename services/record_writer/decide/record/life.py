"""What a mail does to the life of its record: one table, the first row that fits counts. Pure.

Open, resolved and closed are the groups of a type's statuses. A mail to an open record is a note; one that is resolved
is worked on again (IV-39); a closed one stays closed, or is reopened, as its inbox says (VF-13, VF-14). A quick action
for the record's status replaces all of that. A decided approval stays decided (VF-18), a deleted record stays deleted
(TI-32).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from services.record_writer.decide.facts import Facts
from shared.config.model import APPROVAL, INCIDENT, QuickAction, RecordType
from shared.store.record import Record

State = Literal["open", "resolved", "closed"]
Step = Literal["refuse-deleted", "quick-action", "note", "work-again", "reopen", "note-on-closed", "refuse-closed"]
Condition = Callable[[Facts, RecordType], bool]


def _always(_: Facts, __: RecordType) -> bool:
    return True


def _reopens(facts: Facts, type_: RecordType) -> bool:
    return facts.inbox.commands.reopen_closed and type_.name != APPROVAL


def _adds(facts: Facts, _: RecordType) -> bool:
    """A mail that an operator released is added all the same (PR-01)."""
    return facts.inbox.commands.update_closed or facts.released


TABLE: Final[tuple[tuple[State, Condition, Step], ...]] = (
    ("open", _always, "note"),
    ("resolved", _always, "work-again"),
    ("closed", _reopens, "reopen"),
    ("closed", _adds, "note-on-closed"),
    ("closed", _always, "refuse-closed"),
)
"""State of the record, what holds besides, and what the mail does."""


def quick_action_for(facts: Facts, record: Record) -> QuickAction | None:
    """The quick action for the record's current status; incident inboxes have them, for incidents (IV-39)."""
    if not record.type == facts.inbox.processor == INCIDENT:
        return None
    now = record.status.casefold()
    found = next((each for each in facts.inbox.status_mapping if each.enabled and each.status.casefold() == now), None)
    return facts.configuration.quick_action(found.quick_action) if found else None


def step_of(facts: Facts, type_: RecordType, record: Record) -> Step:
    """What a mail does to this record. A status that its type does not have counts as a resolved one."""
    if record.deleted:
        return "refuse-deleted"
    if quick_action_for(facts, record):
        return "quick-action"
    state = type_.statuses.group(record.status) or "resolved"
    return next(step for each, holds, step in TABLE if each == state and holds(facts, type_))


def event_of(type_: RecordType, before: str, after: str | None) -> str:
    """The event name of an update, by the group of the new status, for integrators and business rules."""
    was, is_ = type_.statuses.group(before), type_.statuses.group(after or before)
    if was == is_ or is_ is None:
        return "updated"
    return "reopened" if is_ == "open" else is_


def is_handled(facts: Facts, record: Record) -> bool:
    """Whether this mail is work of the desk, after which nothing waits for the handler (VF-11)."""
    return facts.is_analyst and facts.sender.person_id != (record.customer if record.customer != record.owner else None)
