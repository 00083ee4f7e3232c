"""`[APPROVE#n]` and `[REJECT#n]`: decide an approval (VF-18). Pure.

Only the person who owns it decides it, analyst or user, and only once. The record above it gets a note of the outcome
and is flagged for its handler; `approvals` says how it moves on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.record_writer.decide.answers.wording import command_answer_about
from services.record_writer.decide.automation.approvals import plan_above, round_below
from services.record_writer.decide.facts import UNSPECIFIED, Facts, author_on
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Part
from services.record_writer.decide.record.update import (
    RecordEdit,
    changed,
    email_activities,
    moves,
    record_of,
    refused,
    type_of,
)
from shared.config.model import RecordType
from shared.contracts.change import Activity, Change, NoteAbove
from shared.lazy_dataclass import dataclass
from shared.store.record import Record


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome: its word in sentences, and the status that has it."""

    word: str
    status: str


APPROVED: Final = Verdict("approved", "Approved")
REJECTED: Final = Verdict("rejected", "Rejected")


def plan_verdict(verdict: Verdict, facts: Facts, lookups: Lookups, part: Part) -> Change:
    """Decide the approval, or refuse that in words. Raises `PostroomError` when the record or its type is gone."""
    record, type_ = record_of(part), type_of(facts, part)
    if facts.sender.person_id != record.owner:
        answer = command_answer_about(facts, lookups, f"not-{verdict.word}", type_, record)
        return refused(facts, part, answer, "the sender is not who decides it")
    if type_.statuses.group(record.status) == "closed":
        answer = command_answer_about(facts, lookups, "decided-already", type_, record)
        return refused(facts, part, answer, f"{record.number} is decided already")
    parent = lookups.record(record.parent) if record.parent else None
    round_ = round_below(parent, facts.configuration, lookups)
    if round_ and record.id not in {each.id for each in round_.turns}:
        first = ", ".join(each.number for each in round_.turns)
        more = {"verdict": verdict.word, "others": first}
        answer = command_answer_about(facts, lookups, "decided-later", type_, record, **more)
        return refused(facts, part, answer, f"{record.number} is decided after {first}")
    change = _decided(verdict, facts, lookups, part, type_, record)
    if parent is None or round_ is None or change.above is None:
        return change
    follows = plan_above(parent, round_.with_verdict(record, verdict.word), facts.configuration)
    return replace(change, above=replace(change.above, follows=follows))


def _decided(verdict: Verdict, facts: Facts, lookups: Lookups, part: Part, type_: RecordType, record: Record) -> Change:
    given = {"Status": _status(verdict, type_)}
    author, named = author_on(facts, lookups, record.owner), f"Task {record.number}"
    outcome = Activity("note", f"{named} has been {verdict.word}", author, security_profile=UNSPECIFIED)
    edit = RecordEdit(
        given=given,
        properties={"verdict": verdict.word},
        activities=(*email_activities(facts, lookups, part), *moves(facts, lookups, record, given), outcome),
        notifications=command_answer_about(
            facts, lookups, verdict.word, type_, replace(record, status=given["Status"])
        ),
        above=NoteAbove(record.parent, outcome) if record.parent else None,
    )
    return changed(facts, lookups, part, "closed", edit)


def _status(verdict: Verdict, type_: RecordType) -> str:
    """The closed status of this name; a type without one has its first: the note says what was decided."""
    named = (each for each in type_.statuses.closed if each.casefold() == verdict.status.casefold())
    return next(named, type_.statuses.closed[0])
