"""Requirements IV-38, IV-39, VF-10, VS-03 to VS-07, TI-27, TI-30, PR-17: what a record starts with, and who did it."""

from __future__ import annotations

from typing import Any

import pytest

from services.operator.service_desk import manual_edits
from shared.config.model import (
    CommandPolicy,
    MailServer,
    Partition,
    QuickAction,
    Settings,
    StatusMapping,
    Template,
)
from shared.store.documents import Document
from tests.builders import TOO_MUCH, a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk
from tests.fields import fields_of, own, texts

ANNA = a_person("anna", addresses=("anna@customer.example",))
IT = Partition("it", {"Low/Low": 4, "High/High": 1, "high/low": 0})
TEMPLATE = {
    "Status": "Waiting",
    "Stream": "IT",
    "Owner": "ann",
    "OwnerTeam": "Network",
    "Impact": "High",
    "Urgency": "High",
}


def templated(values: dict[str, Any], **keys: Any) -> Any:
    inbox = an_inbox(template="t", **keys)
    return a_configuration(
        inbox,
        an_analyst(),
        templates=(Template("t", "incident", values),),
        partitions=(IT, Partition("hr", {"High/High": 3})),
    )


def record_with(desk: Desk, values: dict[str, str]) -> Document:
    type_ = desk.app.directory.type_named("incident")
    assert type_ is not None
    return desk.document(manual_edits.change(desk.app, type_, desk.record("incident")["_id"], list(values.items())))


@pytest.mark.req("VF-10", "VS-07", "PR-17")
def test_the_template_and_the_matrix_say_what_a_record_starts_with(desk: Desk) -> None:
    desk.configure(templated(TEMPLATE, partition="it"))
    desk.receive(a_mail("Fire!\n"))
    record = desk.record()
    assert own(record) == ("Printer", "ann", "Network", "Waiting")
    assert fields_of(record) == {"Stream": "IT", "Impact": "High", "Urgency": "High", "Priority": 1}
    assert (record["template"], record["partition"], record["source"]) == ("t", "it", "Email")
    assert record["description"].strip() == "Fire!"
    assert desk.activities(record)[0]["security_profile"] == "Unspecified"


@pytest.mark.req("VS-07")
@pytest.mark.parametrize(
    ("values", "partition", "priority"),
    [
        ({"Impact": "Low", "Urgency": "Low"}, "it", 4),
        ({"Impact": "low", "Urgency": "LOW"}, "it", 4),
        ({"Impact": "High", "Urgency": "Low", "Priority": 2}, "it", 0),
        ({"Impact": "Low", "Urgency": "High", "Priority": 2}, "it", 2),
        ({"Impact": "Low", "Urgency": "High", "Priority": "2"}, "it", 2),
        ({"Impact": "Low", "Urgency": "High"}, "it", None),
        ({"Priority": 3}, "it", 3),
        ({"Impact": "High", "Urgency": "High", "Priority": 5}, None, 5),
        ({"Impact": "High", "Urgency": "High", "Partition": "hr"}, "it", 3),
    ],
)
def test_priority_is_the_matrix_of_the_partition_or_else_the_templates(
    desk: Desk, values: dict[str, Any], partition: str | None, priority: int | None
) -> None:
    desk.configure(templated(values, partition=partition))
    desk.receive(a_mail())
    record = desk.record()
    assert fields_of(record).get("Priority") == priority
    assert record["partition"] == values.get("Partition", partition)


@pytest.mark.req("VS-07")
def test_a_template_for_another_type_is_not_used_for_what_else_the_inbox_makes(desk: Desk) -> None:
    inbox = an_inbox(processor="service_request", update_only=True, template="t", field_mapping={"Category": "x"})
    desk.configure(a_configuration(inbox, templates=(Template("t", "service_request", {"Status": "Waiting"}),)))
    desk.receive(a_mail())
    record = desk.record("incident")
    assert (record["template"], record["status"], fields_of(record)) == (None, "Logged", {})


@pytest.mark.req("VS-07")
@pytest.mark.parametrize(
    ("server", "partition", "template", "expected"),
    [
        ("named", "it", {}, "named"),
        (None, "it", {}, "of-it"),
        (None, "it", {"Partition": "hr"}, "of-hr"),
        (None, None, {}, "general"),
    ],
)
def test_the_inboxs_mail_server_wins_over_the_partitions(
    desk: Desk, server: str | None, partition: str | None, template: dict[str, Any], expected: str
) -> None:
    names = {"of-it": "it", "general": None, "of-hr": "hr", "named": "hr"}
    servers = tuple(MailServer(name, host="127.0.0.1", partition=of, block=True) for name, of in names.items())
    configuration = templated(template, mail_server=server, partition=partition)
    desk.configure(
        a_configuration(
            *configuration.inboxes,
            templates=configuration.templates,
            partitions=configuration.partitions,
            mail_servers=servers,
        )
    )
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject="Incident#1"))
    assert [each["server"] for each in desk.outbox()] == [expected]


@pytest.mark.req("IV-38", "PR-17")
def test_every_email_makes_a_task_below_its_incident_updates_too(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(task_for_every_email=True, owner_team="Front", task_subject="Look"), ANNA))
    first, second = desk.receive(a_mail("one\n")) + desk.receive(a_mail("two\n", subject="Incident#1"))
    incident = desk.record("incident")
    tasks = desk.records("task")
    assert [(own(task), task["parent"]) for task in tasks] == [(("Look", None, "Front", "Logged"), incident["_id"])] * 2
    assert [texts(desk.activities(task)) for task in tasks] == [["one"], ["two"]]
    links = [(each.relationship, each.from_id) for each in desk.app.records.links(incident["_id"])]
    assert sorted(links) == sorted(("parent", task["_id"]) for task in tasks)
    assert [mail["records"][0]["number"] for mail in (first, second)] == ["INC1", "INC1"]


@pytest.mark.req("IV-38", "IV-37")
def test_an_incident_on_error_has_a_task_too_where_the_inbox_wants_them(desk: Desk) -> None:
    inbox = an_inbox(processor="change", field_separator=":", task_for_every_email=True, owner_team="Front")
    desk.configure(a_configuration(inbox, an_analyst(addresses=ANNA.addresses)))
    desk.receive(a_mail("Priority: high\n"), a_mail("Priority: 1\n"))
    assert [(task["parent"], task["owner_team"]) for task in desk.records("task")] == [
        (desk.record("incident")["_id"], "Front")
    ]
    assert len(desk.records("change")) == 1


@pytest.mark.req("IV-38")
@pytest.mark.parametrize(("update_closed", "tasks"), [(True, 2), (False, 1)])
def test_a_closed_incident_gets_a_task_only_when_it_is_updated(desk: Desk, update_closed: bool, tasks: int) -> None:
    commands = CommandPolicy(update_closed=update_closed)
    desk.configure(a_configuration(an_inbox(task_for_every_email=True, commands=commands), ANNA))
    desk.receive(a_mail())
    record_with(desk, {"Status": "Closed"})
    desk.receive(a_mail("more\n", subject="Incident#1"))
    assert len(desk.records("task")) == tasks


@pytest.mark.req("IV-39")
def test_a_quick_action_sets_what_it_says_for_the_status_whatever_its_case(desk: Desk) -> None:
    action = QuickAction(
        "Park", "incident", {"status": "waiting", "Category": "Parked", "Owner": None, "Description": "P"}
    )
    mapping = (StatusMapping("resolved", "Park"), StatusMapping("Logged", "Park", enabled=False))
    desk.configure(a_configuration(an_inbox(status_mapping=mapping), ANNA, quick_actions=(action,)))
    desk.receive(a_mail())
    record_with(desk, {"Status": "Resolved", "Owner": "admin"})
    desk.receive(a_mail("again\n", subject="Incident#1"))
    record = desk.record()
    assert (own(record)[1:], fields_of(record)) == ((None, None, "Waiting"), {"Category": "Parked", "Description": "P"})
    assert record["description"] == "P"
    assert texts(desk.activities(record), "status")[-1] == "Status: Resolved → Waiting"


@pytest.mark.req("IV-39")
def test_an_inbox_for_another_type_runs_no_quick_action_on_an_incident(desk: Desk) -> None:
    changes = an_inbox("changes", processor="change", status_mapping=(StatusMapping("Waiting", "Approve"),))
    action = QuickAction("Approve", "change", {"Status": "Approved"})
    desk.configure(a_configuration(changes, ANNA, quick_actions=(action,)))
    desk.receive(a_mail())
    record_with(desk, {"Status": "Waiting"})
    (mail,) = desk.receive(a_mail("again\n", subject="Incident#1"), inbox="changes")
    assert (mail["outcome"], desk.record()["status"]) == ("recorded", "Waiting")


@pytest.mark.req("IV-39", "VF-13", "VF-14")
def test_a_mapping_for_closed_wins_over_what_is_done_with_closed_calls(desk: Desk) -> None:
    inbox = an_inbox(status_mapping=(StatusMapping("Closed", "Reopen"),))
    desk.configure(
        a_configuration(inbox, ANNA, quick_actions=(QuickAction("Reopen", "incident", {"Status": "Active"}),))
    )
    desk.receive(a_mail())
    record_with(desk, {"Status": "Closed"})
    (mail,) = desk.receive(a_mail("again\n", subject="Incident#1"))
    assert (mail["outcome"], desk.record()["status"]) == ("recorded", "Active")


@pytest.mark.req("IV-37", "IV-39")
def test_an_update_of_an_incident_that_fails_makes_another_incident(desk: Desk) -> None:
    inbox = an_inbox(status_mapping=(StatusMapping("Logged", "Rank"),), owner_team="Front")
    desk.configure(a_configuration(inbox, ANNA, quick_actions=(QuickAction("Rank", "incident", TOO_MUCH),)))
    desk.receive(a_mail())
    (mail,) = desk.receive(a_mail("again\n", subject="Incident#1"))
    updated, error = desk.records()
    assert (mail["outcome"], mail["records"][0]["number"]) == ("dead", error["number"])
    assert (len(desk.activities(updated)), fields_of(updated), error["owner_team"]) == (1, {}, "Front")
    assert "the fields of one record take at most 1000000 characters" in error["description"]


@pytest.mark.req("IV-37")
def test_an_incident_that_cannot_be_made_makes_none_and_waits_in_the_dead_letters(desk: Desk) -> None:
    desk.configure(templated(TOO_MUCH))
    (mail,) = desk.receive(a_mail())
    (letter,) = desk.dead_letters()
    assert (mail["outcome"], desk.records(), desk.people()[0]["_id"]) == ("dead", [], "admin")
    assert (letter["mail_id"], letter["incident"]) == (mail["_id"], None)


@pytest.mark.req("VS-05", "VS-04", "PR-17")
@pytest.mark.parametrize(
    ("sender", "linked", "logging"),
    [
        ("ann@example.com", True, "ann"),
        ("both@example.com", True, "both"),
        ("ann@example.com", False, "admin"),
        ("jdoe@example.com", True, "admin"),
        ("new@example.com", True, "admin"),
    ],
)
def test_the_logging_analyst(desk: Desk, sender: str, linked: bool, logging: str) -> None:
    people = (an_analyst(), an_analyst("both", roles=("user", "analyst")), a_person())
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(use_linked_analyst=linked)), *people))
    desk.receive(a_mail(sender=sender))
    assert desk.record()["logging_analyst"] == logging


@pytest.mark.req("VS-05")
def test_an_analyst_who_logs_becomes_a_user_and_one_who_updates_does_not(desk: Desk) -> None:
    desk.configure(a_configuration(an_analyst(), an_analyst("late", name="Late"), ANNA))
    desk.receive(a_mail())
    desk.receive(
        a_mail("x\n", sender="late@example.com", subject="Incident#1"), a_mail("y\n", sender="ann@example.com")
    )
    roles = {person["_id"]: person["roles"] for person in desk.people()}
    assert (roles["ann"], roles["late"]) == (["analyst", "user"], ["analyst"])


@pytest.mark.req("TI-30", "VS-06")
@pytest.mark.parametrize(
    ("owner", "sender", "by"),
    [
        ("ann", "Anna <anna@customer.example>", "Jane Doe"),
        ("ann", "Stranger <x@elsewhere.example>", "Ann Analyst"),
        ("", "Stranger <x@elsewhere.example>", "email listener"),
    ],
)
def test_whose_name_a_note_carries(desk: Desk, owner: str, sender: str, by: str) -> None:
    commands = CommandPolicy(update_anonymously=True)
    desk.configure(a_configuration(an_inbox(commands=commands), ANNA, an_analyst()))
    desk.receive(a_mail())
    record_with(desk, {"Owner": owner, "Status": "Resolved"})
    desk.receive(a_mail("note\n", sender=sender, subject="Incident#1"))
    assert {each["by"] for each in desk.activities(desk.record())[-2:]} == {by}


@pytest.mark.req("TI-30", "VF-10")
@pytest.mark.parametrize(
    ("sender", "by"),
    [
        ("Stranger <x@elsewhere.example>", "Stranger <x@elsewhere.example>"),
        ("x@elsewhere.example", "x@elsewhere.example"),
        ("anna@customer.example", "Jane Doe"),
    ],
)
def test_the_first_mail_of_a_record_carries_the_name_of_its_sender(desk: Desk, sender: str, by: str) -> None:
    template = Template("assigned", "incident", {"Owner": "ann"})
    desk.configure(a_configuration(an_inbox(template="assigned"), ANNA, an_analyst(), templates=(template,)))
    desk.receive(a_mail(sender=sender))
    (entry,) = desk.activities(desk.record())
    assert (entry["by"], "From: " in entry["text"]) == (by, False)


def test_a_name_that_a_stranger_chose_is_shown_with_the_address(desk: Desk) -> None:
    desk.configure(a_configuration(an_analyst()))
    desk.receive(a_mail(sender='"Ann Analyst" <mallory@elsewhere.example>'))
    desk.receive(a_mail("note\n", sender='"Ann Analyst" <mallory@elsewhere.example>', subject="Incident#1"))
    desk.receive(a_mail("note\n", sender="ann@example.com", subject="Incident#1"))
    notes = [each for each in desk.activities(desk.record()) if each["kind"] == "email"]
    assert [each["by"] for each in notes] == [*["Ann Analyst <mallory@elsewhere.example>"] * 2, "Ann Analyst"]


@pytest.mark.req("VS-03")
def test_of_several_people_the_oldest_is_the_customer(desk: Desk) -> None:
    desk.configure(a_configuration(*(a_person(each, addresses=("anna@customer.example",)) for each in ("abe", "zoe"))))
    for name in ("zoe", "abe"):
        desk.store.update("people", {"_id": name}, {"$set": {"created_at": desk.clock.now()}})
    desk.receive(a_mail())
    assert desk.record()["customer"] == "zoe"


@pytest.mark.req("IV-07", "IV-31")
@pytest.mark.parametrize(
    ("included", "processor", "created_by", "beside"),
    [
        (True, "incident", "Email support@example.com", True),
        (False, "incident", "email listener", False),
        (True, "problem", "email listener", False),
    ],
)
def test_the_inbox_is_shown_beside_the_from_of_the_attached_mail(
    desk: Desk, included: bool, processor: str, created_by: str, beside: bool
) -> None:
    desk.configure(a_configuration(an_inbox(include_source_mailbox_name=included, processor=processor), ANNA))
    desk.receive(a_mail("one\n", Message_ID="<a@b.example>"))
    desk.receive(a_mail("two\n", In_Reply_To="<a@b.example>"))
    record = desk.record()
    shown = "From: Anna Becker <anna@customer.example> (support@example.com)\n\n" if beside else ""
    assert record["created_by"] == created_by
    assert texts(desk.activities(record)) == [f"{shown}one", f"{shown}two"]
    assert record["description"].strip() == "one"


@pytest.mark.req("IV-25")
def test_every_mail_of_a_person_is_in_the_persons_history_whatever_it_did(desk: Desk) -> None:
    inbox = an_inbox("changes", processor="change", record_marker="#", field_separator=":")
    desk.configure(a_configuration(inbox, ANNA))
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject="Incident#1"))
    desk.receive(a_mail("Summary: a\n#\nSummary: b\n"), inbox="changes")
    history = [(each.type, each.number, each.event) for each in desk.app.people.history("anna", 10)]
    assert sorted(history) == [
        ("change", "CHG1", "created"),
        ("change", "CHG2", "created"),
        ("incident", "INC1", "created"),
        ("incident", "INC1", "updated"),
    ]


@pytest.mark.req("TI-26")
def test_an_inactive_person_without_permissions_is_taken_as_anybody(desk: Desk) -> None:
    person = a_person("anna", addresses=("anna@customer.example",), active=False, permissions=())
    desk.configure(a_configuration(an_inbox(accept_only="requestors"), person))
    (mail,) = desk.receive(a_mail())
    assert (mail["outcome"], desk.record()["customer"]) == ("recorded", "anna")


@pytest.mark.req("IV-06", "IV-32")
def test_the_default_domain_completes_what_is_stored_too(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(default_domain="example.com", field_mapping={"Category": "@From"})))
    desk.receive(a_mail(sender=None, From="jsmith"))
    person = desk.store.get("people", desk.record()["customer"])
    assert person is not None
    assert (person["addresses"], fields_of(desk.record())) == (
        ["jsmith@example.com"],
        {"Category": "jsmith@example.com"},
    )


@pytest.mark.req("IV-30")
@pytest.mark.parametrize(
    ("processor", "number"),
    [("incident", "INC1"), ("problem", "PRB1"), ("announcement", "ANN1"), ("assignment", "ASG1")],
)
def test_an_inbox_makes_records_of_its_type_with_numbers_of_their_own(desk: Desk, processor: str, number: str) -> None:
    desk.configure(a_configuration(an_inbox("other", processor=processor)))
    desk.receive(a_mail(subject="first"), inbox="other")
    desk.receive(a_mail(subject="second"))
    assert desk.records(processor)[0]["number"] == number


SETTINGS = Settings(restricted_attachments=("*.exe", "*.js", "application/x-msdownload", "image/*"))


@pytest.mark.req("TI-27", "NE-10")
@pytest.mark.parametrize(
    ("name", "type_", "kept"),
    [
        ("run.exe", "application/octet-stream", False),
        ("RUN.EXE", "application/octet-stream", False),
        ("run.exe. .", "application/octet-stream", False),
        ("dir/run.exe", "application/octet-stream", False),
        ("run.ｅxe", "application/octet-stream", False),
        ("run\u202eexe.\u200bexe", "application/octet-stream", False),
        ("run.exe::$DATA", "application/octet-stream", False),
        ("harmless.txt", "application/x-msdownload", False),
        ("photo", "image/png", False),
        ("exe.txt", "text/plain", True),
        ("run.exe.txt", "text/plain", True),
    ],
)
def test_restricted_attachments_are_left_out_and_a_note_names_them(
    desk: Desk, name: str, type_: str, kept: bool
) -> None:
    desk.configure(a_configuration(ANNA, settings=SETTINGS))
    desk.receive(a_mail(files=((name, type_, b"MZ\n"), ("log.bin", "application/octet-stream", b"log"))))
    activities = desk.activities(desk.record())
    files = [each["filename"] for each in activities[0]["attachments"]]
    assert ("log.bin" in files, len(files)) == (True, 2 if kept else 1)
    notes = texts(activities, "note")
    assert len(notes) == (0 if kept else 1)
    assert all(note.startswith("Email Received.") for note in notes)


@pytest.mark.req("TI-27")
@pytest.mark.parametrize("pattern", ["exe", ".EXE", "*.exe", "r?n.exe", "run.exe", "application/*"])
def test_a_restricted_type_may_be_a_bare_extension(desk: Desk, pattern: str) -> None:
    desk.configure(a_configuration(ANNA, settings=Settings(restricted_attachments=(pattern,))))
    desk.receive(a_mail(files=(("run.exe", "application/octet-stream", b"MZ\n"), ("exe.txt", "text/plain", b"log\n"))))
    activities = desk.activities(desk.record())
    assert [each["filename"] for each in activities[0]["attachments"]] == ["exe.txt"]


@pytest.mark.req("TI-27")
def test_an_update_leaves_restricted_attachments_out_too(desk: Desk) -> None:
    desk.configure(a_configuration(ANNA, settings=SETTINGS))
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject="Incident#1", files=(("x.js", "text/plain", b"1\n"),)))
    email, note = desk.activities(desk.record())[1:]
    assert (email["attachments"], note["kind"], note["by"]) == ([], "note", "Jane Doe")
    assert "x.js" in note["text"]


@pytest.mark.req("NE-10")
@pytest.mark.parametrize("keep", [True, False])
def test_the_full_message_is_kept_as_an_attachment_when_so_set(desk: Desk, keep: bool) -> None:
    desk.configure(a_configuration(ANNA, settings=Settings(keep_full_message=keep)))
    raws = [a_mail(), a_mail("more\n", subject="Incident#1")]
    for raw in raws:
        desk.receive(raw)
    for raw, activity in zip(raws, desk.activities(desk.record()), strict=True):
        kept = [desk.store.get_blob(each["sha256"]) for each in activity["attachments"]]
        assert kept == ([raw] if keep else [])


@pytest.mark.req("IV-31")
def test_text_too_long_to_show_comes_with_the_whole_mail(desk: Desk) -> None:
    raw = a_mail("x" * 70 + "\n" + ("long line " * 7 + "\n") * 4000)
    desk.receive(raw)
    record = desk.record()
    (activity,) = desk.activities(record)
    assert len(record["description"]) == len(activity["text"]) == 200_000
    assert [desk.store.get_blob(each["sha256"]) for each in activity["attachments"]] == [raw]
