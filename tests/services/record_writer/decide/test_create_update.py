"""New records and updates as tables: what the facts say, what the Change sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.plan import decide
from shared.config.model import CommandPolicy, Inbox, Partition, QuickAction, StatusMapping, Template
from shared.contracts.change import Change
from shared.contracts.events import Sender
from shared.contracts.mail import Attachment
from shared.store.people import StoredPerson
from shared.store.record import Record
from tests.builders import an_inbox, an_outgoing_mail
from tests.plain import ANALYST, ANNA, NOTHING, STRANGER, PlainLookups, a_record, facts

OWNER = StoredPerson("bob", "Bob", ("bob@example.com",))
NAMED = Template("t", "incident", {"Owner": "bob@example.com", "Priority": 2})
URGENT = Template("t", "incident", {"Impact": "High", "Urgency": "High", "Priority": 3})
MATRIX = Partition("it", {"High/High": 1})


def planned(asked: Facts, lookups: PlainLookups = NOTHING) -> Change:
    (change,) = decide(asked, lookups).changes
    return change


def values(change: Change) -> dict[str, Any]:
    return {each.name: each.value for each in (*change.set, *change.fields)}


CREATED: dict[str, tuple[Facts, dict[str, Any]]] = {
    "plain": (facts(), {"status": "Logged", "subject": "Printer", "owner": None, "origin": "m1"}),
    "without a subject": (facts(subject=" "), {"subject": "(no subject)"}),
    "for a team": (facts(an_inbox(owner_team="Desk")), {"owner_team": "Desk"}),
    "by a template": (facts(an_inbox(template="t"), templates=(NAMED,)), {"template": "t", "Priority": 2}),
    "an owner by address": (facts(an_inbox(template="t"), templates=(NAMED,)), {"owner": "bob"}),
    "a priority from the matrix": (
        facts(an_inbox(template="t", partition="it"), templates=(URGENT,), partitions=(MATRIX,)),
        {"Priority": 1, "partition": "it"},
    ),
    "with a mapping": (facts(an_inbox(field_mapping={"Summary": "@Subject!"})), {"Summary": "Printer!"}),
    "by an analyst": (
        facts(an_inbox(commands=CommandPolicy(use_linked_analyst=True)), sender=ANALYST),
        {"logging_analyst": "ann"},
    ),
    "named by its inbox": (
        facts(an_inbox(include_source_mailbox_name=True)),
        {"created_by": "Email support@example.com"},
    ),
}


@pytest.mark.parametrize("case", CREATED)
def test_a_new_record_holds_what_the_inbox_and_the_mail_say(case: str) -> None:
    asked, expected = CREATED[case]
    change = planned(asked, PlainLookups(people=(OWNER,)))
    found = values(change)
    assert {name: found.get(name) for name in expected} == expected
    assert (change.action, change.event, change.part, bool(change.why)) == ("create", "created", "0", True)


@pytest.mark.req("IV-20", "IV-21", "IV-22")
@pytest.mark.parametrize(
    ("policy", "sender", "customer", "kind"),
    [
        ("create", ANNA, "anna", None),
        ("create", STRANGER, "person-", "external_contact"),
        ("create", Sender(None), "internal-services", "employee"),
        ("without_creating", STRANGER, "internal-services", "employee"),
        ("existing_only", ANNA, "anna", None),
    ],
    ids=["known", "created", "no address", "not created", "known only"],
)
def test_a_record_belongs_to_the_person_that_the_policy_says(
    policy: Any, sender: Sender, customer: str, kind: str | None
) -> None:
    inbox = an_inbox()
    change = planned(facts(replace(inbox, sender=replace(inbox.sender, policy=policy)), sender=sender))
    assert (change.customer or "").startswith(customer)
    assert (change.person.kind if change.person else None) == kind


@pytest.mark.req("VS-05")
def test_an_analyst_who_logs_becomes_a_user() -> None:
    only = replace(ANALYST, roles=("analyst",))
    assert [planned(facts(sender=each)).becomes_user for each in (ANNA, ANALYST, only)] == [None, None, "ann"]


@pytest.mark.req("TI-27")
def test_a_restricted_attachment_is_named_and_left_out() -> None:
    files = tuple(Attachment(name, "application/octet-stream", 2, "0" * 64) for name in ("a.txt", "run.EXE"))
    asked = facts(attachments=files)
    asked = replace(asked, configuration=replace(asked.configuration, settings=_restricting(asked)))
    email, note = planned(asked).activities
    assert [each.filename for each in email.attachments] == ["a.txt"]
    assert "run.EXE" in note.text


def _restricting(asked: Facts) -> Any:
    return replace(asked.settings, restricted_attachments=("exe",))


PARK = QuickAction("Park", "incident", {"Status": "Waiting", "Priority": None})
UPDATED: dict[str, tuple[Inbox, Record, dict[str, Any]]] = {
    "open": (an_inbox(), a_record(), {"updated_by_mail": True}),
    "resolved": (an_inbox(), a_record(status="Resolved"), {"status": "Active"}),
    "resolved, with a quick action": (
        an_inbox(status_mapping=(StatusMapping("resolved", "Park"),)),
        a_record(status="Resolved"),
        {"status": "Waiting", "Priority": None},
    ),
    "closed, opened again": (
        an_inbox(commands=CommandPolicy(reopen_closed=True)),
        a_record(status="Closed"),
        {"status": "Active"},
    ),
    "closed, updated": (
        an_inbox(commands=CommandPolicy(update_closed=True)),
        a_record(status="Closed"),
        {"updated_by_mail": True},
    ),
    "closed, left": (an_inbox(), a_record(status="Closed"), {}),
}
EVENTS = {
    "open": ("update", "updated", "updated"),
    "resolved": ("update", "reopened", "updated"),
    "resolved, with a quick action": ("update", "reopened", "updated"),
    "closed, opened again": ("update", "reopened", "updated"),
    "closed, updated": ("update", "updated", "closed"),
    "closed, left": ("none", "none", "closed"),
}


@pytest.mark.req("IV-39", "VF-13", "VF-14", "VF-20")
@pytest.mark.parametrize("case", UPDATED)
def test_an_update_sets_what_the_status_of_the_record_asks_for(case: str) -> None:
    inbox, record, expected = UPDATED[case]
    asked = facts(inbox, subject="Incident#1", quick_actions=(PARK,))
    change = planned(asked, PlainLookups(records=(record,)))
    assert values(change) == {**expected, **({"updated_by_mail": True} if expected else {})}
    assert (change.action, change.event, *(each.kind for each in change.notifications)) == EVENTS[case]
    assert (change.number, change.serial) == ("INC1", 1)


@pytest.mark.req("PR-02", "VF-20")
@pytest.mark.parametrize(
    ("keys", "sent", "answered"),
    [({}, 0, True), ({"answers": False}, 0, False), ({"inbox": "silent"}, 0, False), ({}, 10_000, False)],
    ids=["a person", "a robot", "switched off", "too many already"],
)
def test_the_sender_of_an_update_is_answered_if_that_is_wanted(keys: dict[str, Any], sent: int, answered: bool) -> None:
    silent = an_inbox(commands=CommandPolicy(reply_on_update=False))
    inbox = silent if keys.pop("inbox", None) else an_inbox()
    asked = facts(inbox, subject="Incident#1", **keys)
    assert bool(decide(asked, PlainLookups((a_record(),), sent_count=sent)).notices) is answered


@pytest.mark.req("VF-12")
@pytest.mark.parametrize("truncated", [True, False])
def test_a_reply_adds_its_new_part_only_if_replies_are_truncated(truncated: bool) -> None:
    asked = facts(in_reply_to="<o1@desk>", text="New\n> old\n", new_text="New")
    settings = replace(asked.settings, truncate_replies=truncated)
    asked = replace(asked, configuration=replace(asked.configuration, settings=settings))
    sent = an_outgoing_mail(message_key="o1@desk", to=(), record_id="incident-1")
    change = planned(asked, PlainLookups((a_record(),), sent_mails=(sent,)))
    assert change.activities[0].text == ("New" if truncated else "New\n> old\n")


@pytest.mark.req("TI-30", "VS-06")
@pytest.mark.parametrize(
    ("sender", "owner", "author"),
    [(ANNA, None, "Anna"), (STRANGER, "bob", "Bob"), (STRANGER, None, "email listener")],
    ids=["the sender", "the owner", "nobody"],
)
def test_a_note_carries_the_name_of_whoever_is_known(sender: Sender, owner: str | None, author: str) -> None:
    inbox = an_inbox(commands=CommandPolicy(update_anonymously=True))
    lookups = PlainLookups((a_record(owner=owner),), people=(OWNER,))
    change = planned(facts(inbox, subject="Incident#1", sender=sender), lookups)
    assert change.activities[0].by == author


@pytest.mark.req("IV-38")
def test_every_mail_about_an_incident_makes_a_task_where_that_is_wanted() -> None:
    inbox = an_inbox(task_for_every_email=True, owner_team="Desk")
    for subject, parent in (("Printer", "create"), ("Incident#1", "update")):
        change = planned(facts(inbox, subject=subject), PlainLookups((a_record(),)))
        (task,) = change.subordinates
        assert (change.action, task.type, values(task)["owner_team"]) == (parent, "task", "Desk")
