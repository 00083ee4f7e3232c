"""Requirement TI-32: records are created, updated and deleted by mail, and people with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from click.testing import CliRunner

from services.cli.main import cli
from services.operator.mail.actions import release
from services.operator.service_desk import manual_edits
from services.operator.trial.dry_run import dry_run
from shared.config.model import CommandPolicy
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.requirements.test_commands import (
    BOB,
    EVE,
    JANE,
    PEOPLE,
    SPOOFS,
    TOM,
    calls,
    command,
    configure,
    create,
    with_a_store_that_fails_once,
)

__all__ = ["calls"]
ANNOUNCED: Final = "Summary: Server down\nPriority: 2\nStatus: Active\n\nThe server is down on Friday.\n"


def answers(desk: Desk) -> list[str]:
    """The subjects of our mails."""
    return [each["subject"] for each in desk.outbox()]


@pytest.mark.req("TI-32")
def test_an_analyst_creates_an_announcement_with_its_fields(desk: Desk) -> None:
    configure(desk)
    mail = command(desk, "[Create Announcement]", TOM, ANNOUNCED)
    record = desk.record("announcement")
    assert (mail["outcome"], [each["number"] for each in mail["records"]]) == ("commanded", ["ANN1"])
    assert (record["subject"], record["fields"]["Summary"], record["fields"]["Priority"]) == (*["Server down"] * 2, 2)
    assert record["description"] == "The server is down on Friday."
    assert answers(desk) == ["Announcement ANN1 has been created"]


@pytest.mark.req("TI-32")
@pytest.mark.parametrize(
    ("subject", "type_", "shown"),
    [
        ("[Create Ticket] Printer burns", "incident", "Printer burns"),
        ("Re: [create assignment] Replace it", "assignment", "Replace it"),
        ("[CREATE  ANNOUNCEMENT] Cake", "announcement", "Cake"),
    ],
)
def test_the_subject_is_what_stands_behind_the_command(desk: Desk, subject: str, type_: str, shown: str) -> None:
    configure(desk)
    command(desk, subject, TOM, "Now.\n")
    assert (desk.record(type_)["subject"], desk.record(type_)["description"]) == (shown, "Now.")


@pytest.mark.req("TI-32", "IV-34")
def test_fields_are_written_with_the_inboxs_separator(desk: Desk) -> None:
    inbox = an_inbox(processor="problem", field_separator="$")
    desk.configure(a_configuration(inbox, *PEOPLE))
    command(desk, "[Create Announcement]", TOM, "Summary$Down\nCategory: text\n")
    record = desk.record("announcement")
    assert (record["fields"]["Summary"], "Category" in record["fields"]) == ("Down\nCategory: text", False)


@pytest.mark.req("TI-32")
def test_a_command_on_the_first_line_is_left_out_of_the_text_of_the_record(desk: Desk) -> None:
    configure(desk)
    command(desk, "Cake", TOM, "[Create Announcement]\nSummary: Cake today\n")
    record = desk.record("announcement")
    assert (record["subject"], record["description"]) == ("Cake", "")


@pytest.mark.req("TI-32", "IV-42")
@pytest.mark.parametrize(
    ("sender", "command_text", "outcome"),
    [
        (JANE, "[Create Ticket]", "commanded"),
        (JANE, "[Create Announcement]", "rejected"),
        (EVE, "[Create Ticket]", "rejected"),
    ],
    ids=["a user, a call", "a user, an announcement", "a stranger"],
)
def test_a_user_creates_calls_alone_and_sets_no_field(desk: Desk, sender: str, command_text: str, outcome: str) -> None:
    configure(desk)
    people = len(desk.people())
    mail = command(desk, command_text, sender, "Priority: 1\nIt burns.\n")
    assert (mail["outcome"], len(desk.records()), len(desk.people())) == (
        outcome,
        int(outcome == "commanded"),
        people,
    )
    if desk.records():
        assert "Priority" not in desk.record()["fields"]
        assert [each["text"] for each in desk.activities(desk.record())][-1].endswith("set it by mail: Priority")
        assert "\nKept as text, because you may not set it by mail: Priority\n" in desk.outbox()[0]["text"]


@pytest.mark.req("TI-32", "IV-35")
@pytest.mark.parametrize("type_", ["Request", "Approval", "Task"])
def test_types_that_no_mail_makes_are_refused_with_the_reason(desk: Desk, type_: str) -> None:
    configure(desk)
    mail = command(desk, f"[Create {type_}]", TOM)
    assert (mail["outcome"], desk.records(), "made" in mail["reason"]) == ("rejected", [], True)


@pytest.mark.req("TI-32")
def test_a_value_that_a_field_cannot_hold_is_answered(calls: Desk) -> None:
    for subject in ("[Create Ticket]", "[Update Ticket - 1]"):
        mail = command(calls, subject, TOM, "Priority: high\n")
        assert mail["outcome"] == "rejected"
        assert "Priority" in calls.outbox()[-1]["text"]
    assert (len(calls.records()), calls.dead_letters()) == (1, [])


@pytest.mark.req("TI-32", "VF-11")
def test_an_analyst_updates_the_fields_of_a_ticket(calls: Desk) -> None:
    mail = command(
        calls, "Re: [Update Ticket - INC1] soon", TOM, "Status: Waiting\nOwner: pat\nCategory: Fire\n\nWe wait.\n"
    )
    record = calls.record()
    assert (mail["outcome"], record["status"], record["owner"]) == ("commanded", "Waiting", "pat")
    assert record["fields"]["Category"] == "Fire"
    kinds = [each["kind"] for each in calls.activities(record)]
    assert kinds == ["created", "email", "status", "owner"]
    assert answers(calls) == ["Call INC1 has been updated"]


@pytest.mark.req("TI-32", "IV-42")
def test_a_participant_adds_a_note_and_sets_nothing(calls: Desk) -> None:
    mail = command(calls, "[Update Call \u2013 1]", JANE, "Status: Closed\nStill burning.\n")
    record = calls.record()
    assert (mail["outcome"], record["status"]) == ("commanded", "Active")
    assert [each["kind"] for each in calls.activities(record)] == ["created", "email", "note"]
    assert "[" not in answers(calls)[0].replace("[Call - INC1]", "")
    assert "\nKept as text, because you may not set it by mail: Status\n" in calls.outbox()[0]["text"]


@pytest.mark.req("TI-32", "VF-21")
@pytest.mark.parametrize(
    ("sender", "subject", "done"),
    [
        (BOB, "[Update Ticket - 1]", "updated"),
        (BOB, "[Delete Ticket - 1]", "deleted"),
        (JANE, "[Delete Ticket - 1]", "deleted"),
    ],
)
def test_a_sender_without_the_right_is_refused_with_the_reason(
    calls: Desk, sender: str, subject: str, done: str
) -> None:
    mail = command(calls, subject, sender, "more\n")
    assert (mail["outcome"], len(calls.activities(calls.record()))) == ("rejected", 1)
    assert calls.outbox()[0]["text"].startswith(f"Call INC1 has not been {done}. Reason: Insufficient Permission\n")


@pytest.mark.req("TI-32")
@pytest.mark.parametrize(
    "subject", ["[Update Ticket - 99]", "[Delete Announcement - 1]", "[Delete Ticket]", "[Update Ticket - ]"]
)
def test_a_number_that_does_not_exist_changes_nothing(calls: Desk, subject: str) -> None:
    mail = command(calls, subject, TOM, "Status: Closed\n")
    assert (mail["outcome"], mail["rule"], len(calls.records())) == ("rejected", "command", 1)
    assert len(calls.outbox()) == 1


@pytest.mark.req("TI-32", "VF-13")
def test_a_closed_record_is_updated_by_who_sets_a_field_and_by_nobody_else(calls: Desk) -> None:
    command(calls)
    command(calls, "[Update Ticket - 1]", JANE, "more\n")
    assert calls.outbox()[-1]["text"].startswith("Call No INC1 is already closed and has not been updated.")
    command(calls, "[Update Ticket - 1]", TOM, "Category: Fire\n")
    assert (calls.record()["status"], calls.record()["fields"]["Category"]) == ("Closed", "Fire")


@pytest.mark.req("TI-32")
def test_an_analyst_deletes_a_record_and_an_operator_undeletes_it(calls: Desk) -> None:
    mail = command(calls, "[Delete Ticket - 1]", TOM, "a duplicate\n")
    record = calls.record()
    assert (mail["outcome"], record["deleted"], answers(calls)) == ("commanded", True, ["Call INC1 has been deleted"])
    assert [each["kind"] for each in calls.activities(record)] == ["created", "email", "deleted"]
    assert ([*calls.app.records.list(0)], [each.number for each in calls.app.records.list(0, deleted=True)]) == (
        [],
        ["INC1"],
    )
    with pytest.raises(manual_edits.InvalidEdit, match="records undelete INC1"):
        manual_edits.change(calls.app, _incident(calls), record["_id"], [("Status", "Active")])
    manual_edits.set_deleted(calls.app, record["_id"], deleted=False)
    assert [each.number for each in calls.app.records.list(0)] == ["INC1"]
    assert command(calls, sender=TOM)["outcome"] == "commanded"


def _incident(desk: Desk) -> Any:
    return desk.app.directory.current().type_named("incident")


MAILS_ABOUT_A_DELETED_CALL: Final[dict[str, Callable[[Desk], bytes]]] = {
    "a number": lambda _: a_mail("more\n", sender=JANE, subject="[Call - 1]"),
    "a loose number": lambda _: a_mail("more\n", sender=JANE, subject="Call#1"),
    "an answer": lambda desk: a_mail("more\n", sender=TOM, subject="Re: x", In_Reply_To=desk.outbox()[0]["message_id"]),
    "a command": lambda _: a_mail("more\n", sender=JANE, subject="[CLOSE#1]"),
    "an update": lambda _: a_mail("more\n", sender=TOM, subject="[Update Ticket - 1]"),
    "deleted again": lambda _: a_mail("more\n", sender=TOM, subject="[Delete Ticket - 1]"),
}


@pytest.mark.req("TI-32", "VF-13")
@pytest.mark.parametrize("name", MAILS_ABOUT_A_DELETED_CALL)
def test_a_deleted_record_takes_no_mail_and_the_sender_is_notified(calls: Desk, name: str) -> None:
    command(calls, "[Delete Ticket - 1]", TOM)
    (mail,) = calls.receive(MAILS_ABOUT_A_DELETED_CALL[name](calls))
    assert (mail["outcome"], len(calls.records()), len(calls.activities(calls.records()[0]))) == ("rejected", 1, 3)
    assert calls.outbox()[-1]["text"].startswith("Call No INC1 has been deleted and has not been updated.")


@pytest.mark.req("TI-32", "VF-21", "PR-01")
def test_others_learn_nothing_of_a_deleted_record_and_a_released_mail_is_a_new_one(calls: Desk) -> None:
    command(calls, "[Delete Ticket - 1]", TOM)
    assert command(calls, "[Call - 1]", BOB, "more\n")["outcome"] == "recorded"
    refused = command(calls, "[Call - 1]", JANE, "more\n")
    assert len(calls.outbox()) == 2
    release(calls.app, refused["_id"])
    calls.work()
    assert [each["subject"] for each in calls.records()][-1] == "[Call - 1]"


REQUESTOR: Final = "Name: Ann Lee\nEmail: Ann.Lee@Example.com\nLoginID: alee\n"


def person(desk: Desk, address: str = "ann.lee@example.com") -> Document | None:
    """The person with this address."""
    found = (each for each in desk.people() if address in each["addresses"])
    return next(found, None)


@pytest.mark.req("TI-32")
def test_a_requestor_is_a_person_who_is_created_changed_and_made_inactive(desk: Desk) -> None:
    configure(desk)
    mail = command(desk, "[Create Requestor]", TOM, REQUESTOR)
    made = person(desk)
    assert made is not None
    assert (mail["outcome"], answers(desk)) == ("commanded", ["Requestor REQ1 has been created"])
    assert (made["name"], made["login_id"], made["roles"], made["active"]) == ("Ann Lee", "alee", ["user"], True)
    assert (desk.record("requestor")["subject"], made["kind"]) == ("Ann Lee", "requestor")
    desk.receive(a_mail(sender="ann.lee@example.com"))
    assert desk.record("incident")["customer"] == made["_id"]
    command(desk, "[Update Requestor - REQ1]", TOM, "Name: Ann Kay\nEmail: ann.kay@example.com\n")
    changed = person(desk, "ann.kay@example.com")
    assert changed is not None
    assert (changed["_id"], changed["name"], person(desk)) == (made["_id"], "Ann Kay", None)
    command(desk, "[Delete Requestor - 1]", TOM)
    assert person(desk, "ann.kay@example.com")["active"] is False  # type: ignore[index]
    manual_edits.set_deleted(desk.app, desk.record("requestor")["_id"], deleted=False)
    assert person(desk, "ann.kay@example.com")["active"] is True  # type: ignore[index]


@pytest.mark.req("TI-32")
@pytest.mark.parametrize(
    ("text", "sender", "why"),
    [
        ("Name: Ann\n", TOM, "needs a line with an address"),
        ("Email: nobody\n", TOM, "needs a line with an address"),
        ("Email: ann@example.com, lee@example.com\n", TOM, "needs a line with an address"),
        ("Email: bob@example.com\n", TOM, "is the address of Bob Roe already"),
        ("Email: Support@Example.com\n", TOM, "is the address of the inbox support"),
        (REQUESTOR, JANE, "only analysts create records of the type Requestor"),
    ],
)
def test_a_person_that_is_not_created(desk: Desk, text: str, sender: str, why: str) -> None:
    configure(desk)
    people = len(desk.people())
    mail = command(desk, "[Create Requestor]", sender, text)
    assert (mail["outcome"], desk.records("requestor"), len(desk.people())) == ("rejected", [], people)
    assert why in mail["reason"]


@pytest.mark.req("TI-32", "VS-03")
@pytest.mark.parametrize("taken", ["bob@example.com", "BOB@example.com", "support@example.com"])
def test_nobody_is_given_the_address_of_another_person_or_of_the_desk(desk: Desk, taken: str) -> None:
    configure(desk)
    command(desk, "[Create Requestor]", TOM, REQUESTOR)
    mail = command(desk, "[Update Requestor - 1]", TOM, f"Email: {taken}\n")
    assert (mail["outcome"], f"{taken} is the address of" in mail["reason"]) == ("rejected", True)
    made = person(desk)
    assert made is not None
    command(desk, "[Update Requestor - 1]", TOM, "Name: Ann Kay\nEmail: ann.lee@example.com\n")
    assert desk.people()[-1]["addresses"] == made["addresses"]


@pytest.mark.req("TI-32", "VS-03")
@pytest.mark.parametrize(
    "written",
    ["ann.lee@example.com<mailto:ann.lee@example.com>", "Ann Lee <Ann.Lee@example.com>"],
    ids=["link", "name"],
)
def test_an_address_is_taken_as_mail_programs_write_it(desk: Desk, written: str) -> None:
    configure(desk)
    command(desk, "[Create Requestor]", TOM, f"Name: Ann Lee\nEmail: {written}\n")
    assert person(desk) is not None
    mail = command(desk, "[Create Requestor]", TOM, "Email: Bob <bob@example.com>\n")
    assert "bob@example.com is the address of" in mail["reason"]
    create(desk)
    command(desk, "[Update Ticket - 1]", TOM, f"Owner: {written.replace('ann.lee', 'pat').replace('Ann.Lee', 'Pat')}\n")
    assert desk.record("incident")["owner"] == "pat"


@pytest.mark.req("TI-32", "VS-03")
def test_an_operator_gives_a_person_one_address_too(desk: Desk) -> None:
    configure(desk)
    command(desk, "[Create Requestor]", TOM, REQUESTOR)
    requestor, record = desk.app.directory.current().type_named("requestor"), desk.record("requestor")
    assert requestor is not None
    manual_edits.change(desk.app, requestor, record["_id"], [("Email", "Ann Kay <ann.kay@example.com>")])
    assert person(desk, "ann.kay@example.com") is not None
    with pytest.raises(manual_edits.InvalidEdit, match="takes one address"):
        manual_edits.change(desk.app, requestor, record["_id"], [("Email", "a@example.com, b@example.com")])
    assert person(desk, "ann.kay@example.com") is not None


@pytest.mark.req("TI-32", "PR-02")
def test_each_record_that_a_command_makes_is_answered(desk: Desk) -> None:
    configure(desk)
    for name in ("ann", "ben", "cleo", "dan"):
        command(desk, "[Create Requestor]", TOM, f"Name: {name}\nEmail: {name}@example.com\n")
    assert answers(desk) == [f"Requestor REQ{number} has been created" for number in range(1, 5)]


@pytest.mark.req("TI-32", "IV-42", "VF-18")
def test_an_analyst_hears_what_was_not_set_beside_what_was(desk: Desk) -> None:
    configure(desk)
    create(desk)
    create(desk, "approval", Owner="bob")
    command(desk, "[Update Approval - 1]", TOM, "Status: Approved\nCategory: Fire\n")
    (approval,) = desk.records("approval")
    assert (approval["status"], approval["fields"]["Category"]) == ("Pending", "Fire")
    assert "\nKept as text, because you may not set it by mail: Status\n" in desk.outbox()[-1]["text"]


@pytest.mark.req("TI-32", "IV-42")
@pytest.mark.parametrize("subject", ["[Update Change - INC1]", "[Delete Change - inc-1]", "[Change - INC1]"])
def test_the_number_of_another_type_names_no_record(calls: Desk, subject: str) -> None:
    command(calls, "[Create Change] Router", TOM)
    change = calls.record("change")
    mail = command(calls, subject, TOM, "Category: Fire\n")
    assert change["_id"] not in [each["id"] for each in mail["records"]]
    assert calls.record("change") == change


@pytest.mark.req("TI-32", "TI-26")
def test_whoever_is_not_active_gives_no_commands_and_is_heard(desk: Desk) -> None:
    configure(desk)
    desk.store.update("people", {"_id": "tom"}, {"$set": {"active": False}})
    create(desk, Owner="tom", Status="Active")
    mail = command(desk, sender=TOM)
    assert (mail["outcome"], "is not active" in mail["reason"]) == ("rejected", True)
    assert command(desk, "Printer", TOM, "help\n")["outcome"] == "recorded"
    assert desk.records()[1]["customer"] == "tom"


@pytest.mark.req("TI-32", "PR-15")
@pytest.mark.parametrize(
    ("subject", "text"),
    [("[Create Requestor]", REQUESTOR), ("[Update Ticket - 1]", "Category: Fire\n"), ("[Delete Ticket - 1]", "x\n")],
)
def test_a_command_that_is_delivered_again_has_one_effect(
    calls: Desk, monkeypatch: pytest.MonkeyPatch, subject: str, text: str
) -> None:
    tries = with_a_store_that_fails_once(monkeypatch)
    people = len(calls.people())
    given = a_mail(text, sender=TOM, subject=subject)
    (mail,) = calls.receive(given)
    calls.receive(given)
    assert (len(tries), mail["outcome"], len(calls.outbox())) == (2, "commanded", 1)
    assert all(record["pending"] == [] for record in calls.records() if "pending" in record)
    assert len(calls.people()) - people == len(calls.records()) - 1
    assert len(calls.activities(calls.record("incident"))) <= 3


@pytest.mark.req("TI-32")
@pytest.mark.parametrize("kind", ["create", "update", "delete"])
def test_each_can_be_switched_off(calls: Desk, kind: str) -> None:
    configure(calls, enabled=tuple({"create", "update", "delete"} - {kind}))
    number = "" if kind == "create" else " - 1"
    mail = command(calls, f"[{kind} ticket{number}]", TOM, "Category: Fire\n")
    assert (mail["outcome"], f"{kind} is not in commands.enabled" in mail["reason"]) == ("rejected", True)
    assert (len(calls.records()), len(calls.activities(calls.record()))) == (1, 1)


@pytest.mark.req("TI-32")
@pytest.mark.parametrize("name", SPOOFS)
def test_a_spoofed_command_changes_nothing(calls: Desk, name: str) -> None:
    """One of the attempts is that of another analyst, who may do this."""
    for words in (b"[Delete Ticket - 1]", b"[Update Ticket - 1]", b"[Create Announcement]"):
        calls.receive(SPOOFS[name].replace(b"[CLOSE#1]", words).replace(b"close", b"Category: x"))
    record, by_analyst = calls.records()[0], name == "an analyst without take-over"
    assert (record["status"], record.get("deleted")) == ("Active", True if by_analyst else None)
    assert len(calls.records("announcement")) == int(by_analyst)


def test_a_dry_run_shows_what_would_be_created(desk: Desk) -> None:
    configure(desk)
    shown = dry_run(desk.app, a_mail(REQUESTOR, sender=TOM, subject="[Create Requestor]")).as_json()
    assert (shown["outcome"], [each["type"] for each in shown["changes"]]) == ("commanded", ["requestor"])
    assert shown["changes"][0]["new_person"]["address"] == "Ann.Lee@Example.com"
    assert shown["notifications"][0]["subject"] == "Requestor REQ1 has been created"


def test_the_command_line_deletes_and_undeletes(calls: Desk) -> None:
    data = str(calls.app.location.data)

    def run(*words: str) -> str:
        done = CliRunner().invoke(cli, ["records", *words, "--data", data])
        assert done.exit_code == 0, done.output
        return done.output

    assert "yes" in run("delete", "INC1")
    assert "INC1" not in run("list")
    assert "INC1" in run("list", "--deleted")
    run("undelete", "INC1")
    assert "INC1" in run("list")


def test_policies_name_all_commands() -> None:
    assert {"create", "update", "delete"} <= set(CommandPolicy().enabled)
