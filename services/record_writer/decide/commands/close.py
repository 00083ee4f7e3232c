"""`[CLOSE#n]`: close a call (VF-17). Pure.

A user closes calls that are the user's own. An analyst closes calls that the analyst owns too, with the permission
`take_over` any call. Whoever is not recognised closes calls where the inbox says `close_anonymously`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.record_writer.decide.answers.wording import command_answer_about
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Part
from services.record_writer.decide.recognition.target import is_customer
from services.record_writer.decide.record.update import (
    RecordEdit,
    changed,
    email_activities,
    moves,
    record_of,
    refused,
    type_of,
)
from shared.contracts.change import Change
from shared.store.record import Record

TAKE_OVER: Final = "take_over"
"""The permission of an analyst to act on calls of others."""


def plan_close(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """Close the record, or refuse that in words. Raises `PostroomError` when the record or its type is gone."""
    record, type_ = record_of(part), type_of(facts, part)
    if not may_close(facts, lookups, record):
        answer = command_answer_about(facts, lookups, "not-closed", type_, record)
        return refused(facts, part, answer, "the sender may not close it")
    if type_.statuses.group(record.status) == "closed":
        answer = command_answer_about(facts, lookups, "already-closed", type_, record)
        return refused(facts, part, answer, "it is closed already")
    given = {"Status": type_.statuses.closed[0]}
    edit = RecordEdit(
        given=given,
        activities=email_activities(facts, lookups, part) + moves(facts, lookups, record, given),
        notifications=command_answer_about(facts, lookups, "closed", type_, replace(record, status=given["Status"])),
    )
    return changed(facts, lookups, part, "closed", edit)


def may_close(facts: Facts, lookups: Lookups, record: Record) -> bool:
    """Whether the sender may close the call."""
    person_id = facts.sender.person_id
    if person_id is None:
        return facts.inbox.commands.close_anonymously
    if is_customer(facts, record, lookups):
        return True
    return facts.is_analyst and (person_id == record.owner or may_take_over(lookups, person_id))


def may_take_over(lookups: Lookups, person_id: str) -> bool:
    """Whether this analyst may act on records of others."""
    person = lookups.person(person_id)
    return person is not None and TAKE_OVER in {each.casefold() for each in person.permissions}
