"""The planner: plain values in, a decision out; no broker, no store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.model import Decision
from services.record_writer.decide.plan import PLANNERS, conclude, decide, plan_part
from services.record_writer.decide.record import create
from services.record_writer.decide.record.numbers import numbered, numbered_decision
from services.record_writer.decide.trace import trace
from shared.config.model import CommandPolicy, Export, Inbox, MatchValue, ObjectMatch, SenderPolicy, Template
from shared.contracts.change import Change, Target, TargetKind
from shared.contracts.errors import PostroomError
from shared.contracts.mail import Address
from shared.contracts.mapping import STORE, to_plain
from shared.store.documents import Document
from shared.store.record import PendingChange
from tests.builders import a_stored_mail, an_inbox, an_outgoing_mail
from tests.plain import ANALYST, NOTHING, STRANGER, PlainLookups, a_record, facts, made

CLOSED = a_record(2, status="Closed")
RECORDS = PlainLookups(records=(a_record(), CLOSED, a_record(1, "change", "CHG")))
ANSWERED = replace(
    RECORDS,
    sent_mails=(an_outgoing_mail(record_id="incident-1"),),
)
ON_ITS_WAY = PlainLookups(
    received_mails=(a_stored_mail("m0", message_key="m0@x.example", from_=Address("", "anna@customer.example")),)
)
CHANGES = an_inbox("changes", processor="change", record_marker="#", field_separator="$")
KNOWN_ONLY = an_inbox(sender=SenderPolicy(policy="existing_only"))
KEEPS_CLOSED = an_inbox(commands=CommandPolicy(reopen_closed=False))


def changes(**keys: Any) -> Inbox:
    return replace(CHANGES, **keys)


CASES: dict[str, tuple[Facts, PlainLookups, tuple[str, str, list[tuple[str, str]]]]] = {
    "nothing is named": (facts(), NOTHING, ("recorded", "", [("create", "incident")])),
    "a number in the subject": (facts(subject="Incident#1"), RECORDS, ("recorded", "", [("update", "incident")])),
    "an unknown number": (facts(subject="Incident#9"), RECORDS, ("recorded", "", [("create", "incident")])),
    "an unknown number that makes no record": (
        facts(an_inbox(commands=CommandPolicy(log_new_on_invalid_number=False)), subject="Incident#9"),
        RECORDS,
        ("rejected", "number", []),
    ),
    "a closed record that is opened again": (
        facts(an_inbox(commands=CommandPolicy(reopen_closed=True)), subject="Incident#2"),
        RECORDS,
        ("recorded", "", [("update", "incident")]),
    ),
    "a closed record that stays closed": (
        facts(KEEPS_CLOSED, subject="Incident#2"),
        RECORDS,
        ("rejected", "closed", [("none", "incident")]),
    ),
    "a reply": (facts(in_reply_to="<o1@desk>"), ANSWERED, ("recorded", "", [("update", "incident")])),
    "a reply to a mail on its way": (facts(in_reply_to="<m0@x.example>"), ON_ITS_WAY, ("wait", "references", [])),
    "a stranger where only known people write": (
        facts(KNOWN_ONLY, sender=STRANGER),
        NOTHING,
        ("rejected", "sender", []),
    ),
    "a stranger's mail that was released": (
        facts(KNOWN_ONLY, sender=STRANGER, released=True),
        NOTHING,
        ("recorded", "", [("create", "incident")]),
    ),
    "two parts": (
        facts(CHANGES, text="Summary$A\n#\nChangeNumber$1\nSummary$B\n"),
        RECORDS,
        ("recorded", "", [("create", "change"), ("update", "change")]),
    ),
    "a part that fails beside another": (
        facts(CHANGES, text="Summary$A\n#\nPriority$x\n", sender=ANALYST),
        NOTHING,
        ("recorded", "", [("create", "change"), ("create", "incident")]),
    ),
    "a part that fails where nobody wants an incident": (
        facts(changes(create_incident_on_error=False), text="Summary$A\n#\nPriority$x\n", sender=ANALYST),
        NOTHING,
        ("recorded", "", [("create", "change")]),
    ),
    "all parts fail": (
        facts(CHANGES, text="Priority$x\n#\nChangeNumber$77\n", sender=ANALYST),
        NOTHING,
        ("failed", "", []),
    ),
    "too many parts": (facts(CHANGES, text="x\n#\n" * 1100), NOTHING, ("failed", "body", [])),
    "too many parts of a stranger": (
        facts(changes(sender=SenderPolicy(policy="existing_only")), text="x\n#\n" * 1100, sender=STRANGER),
        NOTHING,
        ("rejected", "sender", []),
    ),
    "an inbox that only updates": (
        facts(changes(update_only=True), text="Summary$A\n#\nSummary$B\n"),
        NOTHING,
        ("recorded", "", [("create", "incident")]),
    ),
    "an export": (
        facts(an_inbox(processor="xml_export", export=Export("files"))),
        NOTHING,
        ("exported", "export", []),
    ),
    "an export to nowhere": (facts(an_inbox(processor="xml_export")), NOTHING, ("failed", "export", [])),
    "an export of a stranger": (
        facts(replace(KNOWN_ONLY, processor="xml_export", export=Export("files")), sender=STRANGER),
        NOTHING,
        ("rejected", "sender", []),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mail_is_decided_from_plain_values(case: str) -> None:
    asked, lookups, (ending, step, done) = CASES[case]
    decision = decide(asked, lookups)
    assert (decision.ending, decision.step, made(decision)) == (ending, step, done)
    assert decision.reason


@pytest.mark.parametrize("case", CASES)
def test_a_decision_depends_on_facts_and_lookups_alone(case: str) -> None:
    asked, lookups, _ = CASES[case]
    assert decide(asked, lookups) == decide(asked, lookups)


@pytest.mark.parametrize("case", CASES)
def test_every_decision_has_a_trace_with_reasons(case: str) -> None:
    asked, lookups, _ = CASES[case]
    assert all(step.stage and step.step and step.decision and step.why for step in [*trace(decide(asked, lookups))])
    assert [*trace(decide(asked, lookups))]


def test_every_kind_of_target_has_its_planner_but_waiting() -> None:
    assert {*PLANNERS, "wait"} == set(get_args(TargetKind))


# -- parts


def test_each_part_is_planned_on_the_record_as_the_parts_before_leave_it() -> None:
    text = "ChangeNumber$1\nStatus$Closed\n#\nChangeNumber$1\nSummary$Late\n"
    asked = facts(changes(commands=CommandPolicy(reopen_closed=False)), text=text, sender=ANALYST)
    first, second = decide(asked, RECORDS).parts
    assert [first.record and first.record.version, second.record and second.record.version] == [3, 4]
    assert (second.record and second.record.status) == "Closed"
    assert [part.change and part.change.action for part in (first, second)] == ["update", "none"]


def test_a_record_is_looked_up_once_for_all_its_parts() -> None:
    asked: list[str] = []

    class Counting(PlainLookups):
        def record(self, record_id: str) -> Document | None:
            asked.append(record_id)
            return super().record(record_id)

    decide(facts(CHANGES, text="ChangeNumber$1\n#\n" * 3), Counting(records=RECORDS.records))
    assert asked == ["change-1"]


def test_a_person_is_created_with_the_first_part_that_needs_one() -> None:
    decision = decide(facts(CHANGES, text="Summary$A\n#\nSummary$B\n", sender=STRANGER), NOTHING)
    assert [change.person is not None for change in decision.changes] == [True, False]
    assert len({change.customer for change in decision.changes}) == 1


def test_an_object_is_created_with_the_first_part_that_needs_one() -> None:
    matched = ObjectMatch("requestor", "reported_from", None, MatchValue("Summary", "x"))
    inbox = changes(sender=SenderPolicy("object", object=matched))
    decision = decide(facts(inbox, text="Summary$A\n#\nSummary$B\n"), NOTHING)
    assert [len(change.objects) for change in decision.changes] == [1, 0]
    assert len({link.record_id for change in decision.changes for link in change.links}) == 1


FIXED = Target("new", "none", "decided at the first look")


@pytest.mark.req("PR-15")
def test_what_was_committed_at_an_earlier_look_is_not_planned_again() -> None:
    first = decide(facts(), NOTHING)
    (change,) = numbered_decision(first, facts().configuration, lambda _: 7).changes
    entry = PendingChange("m1", to_plain(Change, STORE)(change))
    record = a_record(7, id=create.record_id(facts(), 0), pending=(entry,))
    again = decide(facts(subject="Incident#1", targets_claimed=first.targets), PlainLookups(records=(record,)))
    assert again.changes == [change]
    assert [part.committed for part in again.parts] == [True]


@pytest.mark.req("PR-15")
def test_what_was_carried_out_at_an_earlier_look_is_done() -> None:
    record = a_record(7, id=create.record_id(facts(), 0))
    decision = decide(facts(targets_claimed=(FIXED,)), PlainLookups(records=(record,)))
    assert (decision.ending, decision.changes) == ("decided before", [])


@pytest.mark.req("PR-15")
def test_targets_that_were_claimed_stand_whatever_the_mail_names_by_now() -> None:
    decision = decide(facts(subject="Incident#1", targets_claimed=(FIXED,)), RECORDS)
    assert made(decision) == [("create", "incident")]


def test_a_part_is_planned_again_on_its_record_as_it_stands_now() -> None:
    asked = facts(KEEPS_CLOSED, subject="Incident#1")
    (part,) = decide(asked, RECORDS).parts
    moved = PlainLookups(records=(a_record(status="Closed", version=4),))
    again = plan_part(asked, moved, replace(part, record=None))
    assert (again.change and again.change.action, again.record and again.record.version) == ("none", 4)
    assert conclude(asked, moved, [again]).ending == "rejected"


def test_a_record_that_is_gone_is_an_error_with_its_id() -> None:
    claimed = (Target("update", "number", "named", "incident-9"),)
    with pytest.raises(PostroomError, match="incident-9 is gone"):
        decide(facts(targets_claimed=claimed), RECORDS)


# -- failures


def failing(inbox: Inbox, **keys: Any) -> Decision:
    return decide(facts(inbox, **keys), NOTHING)


@pytest.mark.req("IV-33", "IV-37")
def test_parts_that_fail_beside_others_make_one_incident_that_names_them() -> None:
    decision = failing(CHANGES, text="Summary$A\n#\nPriority$x\n#\nChangeNumber$77\n", sender=ANALYST)
    assert decision.incident is not None
    assert [part.failure is not None for part in decision.parts] == [False, True, True]
    assert "part 2: the field Priority takes a number" in decision.incident.why[0]
    assert "part 3: there is no Change 77" in decision.incident.why[0]
    assert decision.reason.endswith(decision.incident.why[0])


def test_without_an_incident_the_reason_names_the_parts_that_failed() -> None:
    decision = failing(changes(create_incident_on_error=False), text="Summary$A\n#\nPriority$x\n", sender=ANALYST)
    assert (decision.incident, "part 2:" in decision.reason) == (None, True)


@pytest.mark.parametrize(("inbox", "expected"), [(CHANGES, True), (an_inbox(template="bad"), False)])
def test_no_incident_is_made_because_the_making_of_one_failed(inbox: Inbox, expected: bool) -> None:
    bad = Template("bad", "incident", {"Status": "No such status"})
    decision = failing(inbox, text="Priority$x\n", templates=(bad,), sender=ANALYST)
    assert (decision.ending, decision.may_make_incident) == ("failed", expected)


@pytest.mark.req("IV-36", "PR-02")
@pytest.mark.parametrize(
    ("keys", "told"),
    [({}, ["Re: Printer"]), ({"answers": False}, []), ({"sender": STRANGER}, ["Record not found"])],
    ids=["a person", "a robot", "a stranger"],
)
def test_the_notice_names_the_missing_record(keys: dict[str, Any], told: list[str]) -> None:
    inbox = changes(email_when_no_target=True)
    decision = failing(inbox, text="Summary$A\n#\nChangeNumber$77\n", **keys)
    assert [notice.subject for notice in decision.notices] == told


def test_nobody_is_notified_who_got_too_many_mails_already() -> None:
    inbox = changes(email_when_no_target=True)
    asked = facts(inbox, text="Summary$A\n#\nChangeNumber$77\n")
    assert decide(asked, PlainLookups(sent_count=10_000)).notices == ()


# -- numbers


@pytest.mark.req("IV-23", "IV-38")
def test_numbers_are_given_to_objects_then_to_the_record_then_to_its_tasks() -> None:
    given: list[str] = []

    def serials(type_: str) -> int:
        given.append(type_)
        return len(given)

    matched = ObjectMatch("requestor", "reported_from", None, MatchValue("Summary", "x"))
    inbox = an_inbox(task_for_every_email=True, sender=SenderPolicy("object", object=matched))
    asked = facts(inbox)
    (change,) = decide(asked, NOTHING).changes
    assert (change.number, change.serial) == ("", 0)
    done = numbered(change, asked.configuration, serials)
    assert given == ["requestor", "incident", "task"]
    assert (done.objects[0].number, done.number, done.subordinates[0].number) == ("REQ1", "INC2", "TSK3")


def test_an_update_keeps_its_number_and_takes_none() -> None:
    asked = facts(subject="Incident#1")
    (change,) = decide(asked, RECORDS).changes
    assert numbered(change, asked.configuration, lambda _: 99) == change


def test_what_is_committed_takes_no_second_number() -> None:
    asked = facts()
    decision = decide(asked, NOTHING)
    parts = tuple(replace(part, committed=True) for part in decision.parts)
    decision = replace(decision, parts=parts)
    assert numbered_decision(decision, asked.configuration, lambda _: 99) == decision
