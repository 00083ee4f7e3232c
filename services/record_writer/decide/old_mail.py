"""Old mail that `postroom import` brings in: the history of records, and nothing else. Pure.

An old mail makes a record, or adds a note to the record of the thread that its headers name, both dated when it was
sent. It answers nobody, gives no command, sets no field and no status, and makes no task. Numbers in it are not read,
because they are those of another desk. Its events are called `imported`, so that nobody who waits for `created` or
`updated` gets them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.record_writer.decide.content.parts import type_for
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Part
from services.record_writer.decide.recognition.target import SERVICE_REQUEST, by_reference, may_wait
from services.record_writer.decide.record import create, values
from services.record_writer.decide.record.update import email_activities, record_of
from shared.config.model import INCIDENT, folded
from shared.contracts.change import Change, FieldValue, Target
from shared.typed import typed

IMPORTED: Final = "imported"
STEP: Final = "history"
INVITATION: Final = "an old meeting request or an answer to one, about no record"


def target(facts: Facts, lookups: Lookups) -> Target:
    """The record of the thread, a new one, or a reason to wait until the mail before this one has its outcome."""
    if _is_early(facts, lookups):
        return Target("wait", STEP, "the mail that it follows has no outcome yet")
    if found := by_reference(facts, lookups):
        return found
    if facts.mail.kind == "calendar" and not (facts.inbox.take_invitations or facts.released):
        return Target("reject", "kind", INVITATION)
    why = "an old mail that answers no other one"
    if facts.inbox.update_only or folded(facts.inbox.processor) == SERVICE_REQUEST:
        return Target("new", STEP, f"{why}; this inbox makes no {facts.inbox.processor}", type=INCIDENT)
    return Target("new", STEP, why)


def _is_early(facts: Facts, lookups: Lookups) -> bool:
    """Whether another worker still has the mail before this one, which was handed in first."""
    follows = facts.history.follows if facts.history else None
    if follows is None or not may_wait(facts):
        return False
    before = lookups.mail(follows)
    return before is None or before.outcome is None


def plan_record(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """The Change that makes the record of a thread's first mail. Raises as `plan_creation`, and `BadValue` for a status
    that its type does not have: any program may publish old mail.
    """
    made = create.plan_creation(facts, lookups, part)
    status = facts.history.status if facts.history else None
    if status is not None:
        others = (each for each in made.set if each.name != "status")
        (known,) = typed(type_for(facts, part.target), [("Status", status)])
        made = replace(made, set=(*others, FieldValue("status", known.value)))
    return replace(made, event=IMPORTED, notifications=(), subordinates=())


def plan_note(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """The Change that adds the mail to the record of its thread, whatever the status. Raises `PostroomError`."""
    return values.revision(
        record_of(part),
        IMPORTED,
        activities=email_activities(facts, lookups, part),
        customer=facts.sender.person_id,
        why=(part.target.why,),
        part=str(part.number),
    )
