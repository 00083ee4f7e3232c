"""Requirements IV-33, IV-34, IV-36, IV-37, IV-42: records and fields from a body, through the whole pipeline."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from shared.config.model import BUILT_IN_FIELDS, CommandPolicy, Inbox, ObjectMatch, RecordType, SenderPolicy
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk
from tests.fields import fields_of, texts

ANNA = a_person("anna", addresses=("anna@customer.example",), roles=("user", "analyst"))
CHANGE = RecordType("change", prefix="CHG", number_field="ChangeNumber", fields={**BUILT_IN_FIELDS, "Größe": "text"})


def changes(**keys: Any) -> Inbox:
    keys = {"processor": "change", "record_marker": "#", "field_separator": "$", "unique_key": "ChangeNumber", **keys}
    return an_inbox(**keys)


@pytest.fixture
def changing(desk: Desk) -> Desk:
    desk.configure(a_configuration(changes(), ANNA, record_types=(CHANGE,)))
    return desk


@pytest.mark.req("IV-33", "IV-31")
def test_each_part_makes_a_record_with_the_mail_and_its_attachments(changing: Desk) -> None:
    raw = a_mail("Summary$One\n#\nSummary$Two\nCategory$Net\n", files=(("a.txt", "text/plain", b"hello\n"),))
    (mail,) = changing.receive(raw)
    first, second = changing.records()
    assert [fields_of(each) for each in (first, second)] == [{"Summary": "One"}, {"Summary": "Two", "Category": "Net"}]
    assert [each["number"] for each in mail["records"]] == [first["number"], second["number"]] == ["CHG1", "CHG2"]
    for record, text in ((first, "Summary$One"), (second, "Summary$Two\nCategory$Net")):
        (activity,) = changing.activities(record)
        assert activity["text"].strip() == text
        assert [each["filename"] for each in activity["attachments"]] == ["a.txt"]


@pytest.mark.req("IV-33")
def test_blank_parts_make_no_record(changing: Desk) -> None:
    changing.receive(a_mail("#\n\nSummary$One\n#\n \n#\t\n"))
    assert fields_of(changing.record()) == {"Summary": "One"}


@pytest.mark.req("IV-33")
def test_a_signature_below_the_last_marker_makes_no_record(changing: Desk) -> None:
    changing.receive(a_mail("Summary$One\n#\nSummary$Two\n#\n\n-- \nAnna Becker\nTeam Lead\n"))
    assert [fields_of(each)["Summary"] for each in changing.records("change")] == ["One", "Two"]


@pytest.mark.req("IV-34")
def test_fields_in_the_cells_of_a_table_are_read(changing: Desk) -> None:
    cells = "<tr><td>Summary$</td><td>Cabling</td></tr><tr><td>Priority$</td><td>2</td></tr>"
    changing.receive(a_mail("", html=f"<p>\u200b</p><table>{cells}</table>"))
    assert fields_of(changing.record()) == {"Summary": "Cabling", "Priority": 2}


@pytest.mark.req("IV-33")
def test_a_mail_of_nothing_but_markers_is_one_record(changing: Desk) -> None:
    (mail,) = changing.receive(a_mail("#\n#\n"))
    assert (mail["outcome"], len(changing.records())) == ("recorded", 1)


@pytest.mark.req("IV-33", "IV-34")
@pytest.mark.parametrize("processor", ["problem", "change", "approval"])
def test_problems_and_all_other_types_read_bodies(desk: Desk, processor: str) -> None:
    desk.configure(a_configuration(changes(processor=processor, unique_key=None)))
    desk.receive(a_mail("Summary$One\n#\nSummary$Two\n"))
    assert [fields_of(each)["Summary"] for each in desk.records(processor)] == ["One", "Two"]


@pytest.mark.req("IV-33", "IV-34")
def test_incident_inboxes_read_no_body_language(desk: Desk) -> None:
    desk.receive(a_mail("Summary: One\n#\nSummary: Two\n"))
    record = desk.record("incident")
    assert (record["description"].strip(), fields_of(record)) == ("Summary: One\n#\nSummary: Two", {})


@pytest.mark.req("IV-33", "IV-37")
def test_parts_that_fail_make_one_incident_together_and_the_good_ones_are_written(changing: Desk) -> None:
    raw = a_mail("Summary$One\n#\nPriority$high\n#\nChangeNumber$77\n#\nSummary$Four\n")
    (mail,) = changing.receive(raw)
    assert mail["outcome"] == "recorded"
    assert [fields_of(each)["Summary"] for each in changing.records("change")] == ["One", "Four"]
    incident = changing.record("incident")
    assert [each["number"] for each in mail["records"]] == ["CHG1", "CHG2", incident["number"]]
    for told in ("part 2: the field Priority takes a number, not 'high'", "part 3: there is no Change 77"):
        assert told in incident["description"]
        assert told in mail["reason"]
    (activity,) = changing.activities(incident)
    assert changing.store.get_blob(activity["attachments"][0]["sha256"]) == raw
    assert activity["security_profile"] == "Unspecified"


@pytest.mark.req("IV-33", "IV-37")
def test_without_create_incident_on_error_the_reason_names_the_parts_that_fail(desk: Desk) -> None:
    desk.configure(a_configuration(changes(create_incident_on_error=False), ANNA))
    (mail,) = desk.receive(a_mail("Summary$One\n#\nPriority$high\n"))
    assert (mail["outcome"], len(desk.records())) == ("recorded", 1)
    assert "part 2: the field Priority" in mail["reason"]


@pytest.mark.req("IV-37", "IV-34")
def test_when_all_parts_fail_the_mail_is_dead_with_one_incident(changing: Desk) -> None:
    (mail,) = changing.receive(a_mail("Priority$high\n#\nPriority$low\n"))
    incident = changing.record()
    assert (mail["outcome"], incident["type"], mail["records"][0]["number"]) == ("dead", "incident", incident["number"])
    assert "'high'" in incident["description"]
    assert "'low'" in incident["description"]
    (letter,) = changing.dead_letters()
    assert letter["incident"] == incident["number"]


@pytest.mark.req("IV-33", "VF-16")
def test_a_part_that_is_refused_takes_no_others_with_it(changing: Desk) -> None:
    changing.receive(a_mail("Summary$Old\n"))
    raw = a_mail("ChangeNumber$1\nSummary$Mine\n#\nSummary$New\n", sender="mallory@elsewhere.example")
    (mail,) = changing.receive(raw)
    old, new = changing.records("change")
    assert mail["outcome"] == "recorded"
    assert [fields_of(each)["Summary"] for each in (old, new)] == ["Old", "New"]
    assert "no person has" in changing.record("incident")["description"]


@pytest.mark.req("IV-33")
def test_more_parts_than_a_mail_may_have_are_an_incident_on_error_and_no_record(changing: Desk) -> None:
    (mail,) = changing.receive(a_mail("x\n#\n" * 1200))
    assert (mail["outcome"], changing.record()["type"]) == ("dead", "incident")
    assert "at most 1000" in changing.record()["description"]


@pytest.mark.req("IV-34")
@pytest.mark.parametrize(
    ("body", "fields", "description"),
    [
        ("Hello.\nSummary$Printer\nCategory$Net\n", {"Summary": "Printer", "Category": "Net"}, "Hello."),
        ("Summary $Printer\nCategory$Net\n", {"Category": "Net"}, "Summary $Printer"),
        ("Summary$Printer\nColour$red\n", {"Summary": "Printer"}, "Colour$red"),
        (
            "Description$one\ntwo\n\nthree\nCategory$Net\n",
            {"Description": "one\ntwo\n\nthree", "Category": "Net"},
            None,
        ),
        ("Summary$costs 5$ or 6$\n", {"Summary": "costs 5$ or 6$"}, ""),
        ("größe$XL\n", {"Größe": "XL"}, ""),
        ("Priority$3\nThanks\n", {"Priority": 3}, "Thanks"),
        ("Priority$\nCategory$\nSummary$x\n", {"Summary": "x"}, ""),
    ],
)
def test_fields_by_name(changing: Desk, body: str, fields: dict[str, Any], description: str | None) -> None:
    changing.receive(a_mail(body))
    record = changing.record("change")
    assert fields_of(record) == fields
    assert record["description"] == (fields["Description"] if description is None else description)
    assert changing.activities(record)[0]["text"].strip() == body.strip()


@pytest.mark.req("IV-34")
def test_the_records_own_properties_are_fields_too(changing: Desk) -> None:
    changing.receive(a_mail("Subject$Router\nstatus$active\nOwner$anna@customer.example\nOwnerTeam$Net\n\nBye\n"))
    record = changing.record("change")
    assert (record["subject"], record["status"], record["owner"], record["owner_team"]) == (
        "Router",
        "Active",
        "anna",
        "Net",
    )
    assert (fields_of(record), record["description"]) == ({}, "Bye")


@pytest.mark.req("IV-33", "IV-34")
def test_html_only_mail_is_read_like_text(changing: Desk) -> None:
    html = "<p>Summary$One<br>Category$Net</p><hr><div>#</div><table><tr><td>Summary$Two</td></tr></table>"
    head = b"From: anna@customer.example\r\nTo: support@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    changing.receive(head + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode())
    first, second = changing.records("change")
    assert (fields_of(first)["Summary"], fields_of(first)["Category"], fields_of(second)["Summary"]) == (
        "One",
        "Net",
        "Two",
    )


QUOTED = (
    "\n\nOn Fri, 20 Nov 2026 at 10:00, Desk <support@example.com> wrote:\n> Summary$Quoted\n> #\n> Category$Quoted\n"
)


@pytest.mark.req("IV-34", "IV-42")
def test_of_a_reply_only_the_new_text_sets_fields(changing: Desk) -> None:
    changing.receive(a_mail("Summary$One\n", Message_ID="<first@customer.example>"))
    reply = a_mail("Category$Net" + QUOTED, subject="Re: Printer", In_Reply_To="<first@customer.example>")
    changing.receive(reply)
    record = changing.record("change")
    assert fields_of(record) == {"Summary": "One", "Category": "Net"}
    assert texts(changing.activities(record)) == ["Summary$One", "Category$Net"]


@pytest.mark.req("IV-33", "IV-34")
def test_a_reply_that_only_quotes_joins_its_record_and_makes_none(changing: Desk) -> None:
    changing.receive(a_mail("Summary$One\n", Message_ID="<one@customer.example>"))
    quoted = "\nOn Fri, 20 Nov 2026, Desk <desk@example.com> wrote:\n> Summary$Two\n> #\n> Summary$Three\n"
    (mail,) = changing.receive(a_mail(quoted, subject="Re: Printer", In_Reply_To="<one@customer.example>"))
    assert [each["number"] for each in mail["records"]] == ["CHG1"]
    assert fields_of(changing.record("change")) == {"Summary": "One"}


@pytest.mark.req("VF-12", "IV-34")
def test_a_reply_without_fields_that_makes_a_new_record_stays_whole(changing: Desk) -> None:
    changing.receive(a_mail("See below." + QUOTED, subject="Re: Printer"))
    assert "Summary$Quoted" in changing.record("change")["description"]


@pytest.mark.req("IV-42", "IV-31")
@pytest.mark.parametrize("number", ["1", "CHG1", "chg-1", "CHG 1"])
def test_the_unique_key_updates_the_record_it_names(changing: Desk, number: str) -> None:
    changing.receive(a_mail("Summary$One\nCategory$Net\n"))
    (mail,) = changing.receive(a_mail(f"ChangeNumber${number}\nSummary$Other\nstatus$Waiting\nImpact$High\n\nThanks\n"))
    record = changing.record("change")
    assert mail["records"][0]["number"] == record["number"]
    assert fields_of(record) == {"Summary": "Other", "Category": "Net", "Impact": "High"}
    assert (record["status"], record["updated_by_mail"]) == ("Waiting", True)
    assert "Summary$Other" in texts(changing.activities(record))[1]
    assert texts(changing.activities(record), "status") == ["Status: Logged → Waiting"]


@pytest.mark.req("IV-42")
@pytest.mark.parametrize("number", ["-1", "+1", "CHG1 please"])
def test_a_sign_or_other_text_names_no_record(changing: Desk, number: str) -> None:
    changing.receive(a_mail("Summary$One\n"))
    (mail,) = changing.receive(a_mail(f"ChangeNumber${number}\nSummary$Other\n"))
    assert (mail["outcome"], mail["reason"]) == ("dead", f"there is no Change {number}")
    assert fields_of(changing.record("change")) == {"Summary": "One"}


@pytest.mark.req("IV-42", "IV-37")
def test_a_part_that_names_two_records_changes_neither(changing: Desk) -> None:
    changing.receive(a_mail("Summary$One\n#\nSummary$Two\n"))
    (mail,) = changing.receive(a_mail("ChangeNumber$1\nSummary$x\nChangeNumber$CHG2\nSummary$y\n"))
    assert (mail["outcome"], mail["records"][0]["type"]) == ("dead", "incident")
    assert "the part names several records (1, chg2)" in mail["reason"]
    assert [fields_of(each)["Summary"] for each in changing.records("change")] == ["One", "Two"]
    for again in ("1", "CHG1"):
        (mail,) = changing.receive(a_mail(f"ChangeNumber$1\nSummary$x\nChangeNumber${again}\n"))
        assert mail["outcome"] == "recorded"


@pytest.mark.req("IV-42")
def test_one_mail_updates_and_creates(changing: Desk) -> None:
    changing.receive(a_mail("Summary$One\n"))
    (mail,) = changing.receive(
        a_mail("ChangeNumber$1\nCategory$Net\n#\nSummary$Two\n#\nChangeNumber$CHG1\nImpact$Low\n")
    )
    first, second = changing.records("change")
    assert fields_of(first) == {"Summary": "One", "Category": "Net", "Impact": "Low"}
    assert fields_of(second) == {"Summary": "Two"}
    assert [each["number"] for each in mail["records"]] == ["CHG1", "CHG2"]
    assert texts(changing.activities(first))[1:] == ["ChangeNumber$1\nCategory$Net", "ChangeNumber$CHG1\nImpact$Low"]


@pytest.mark.req("IV-42")
def test_an_empty_line_empties_a_field_of_a_record_that_is_there(changing: Desk) -> None:
    changing.receive(a_mail("Summary$One\nPriority$2\nCategory$Net\n"))
    changing.receive(a_mail("ChangeNumber$1\nCategory$\nPriority$\nStatus$\nSubject$\n"))
    record = changing.record("change")
    assert fields_of(record) == {"Summary": "One", "Priority": None, "Category": ""}
    assert (record["status"], record["subject"]) == ("Logged", "Printer")


@pytest.mark.req("IV-42")
def test_the_body_may_set_the_status_of_a_resolved_record(changing: Desk) -> None:
    changing.receive(a_mail("Status$Resolved\n"))
    changing.receive(a_mail("ChangeNumber$1\nStatus$Closed\n"))
    assert changing.record("change")["status"] == "Closed"


@pytest.mark.req("IV-42", "VF-13")
def test_a_closed_record_keeps_its_status_and_takes_fields_only_when_so_set(changing: Desk) -> None:
    changing.receive(a_mail("Status$Closed\n"))
    (mail,) = changing.receive(a_mail("ChangeNumber$1\nSummary$x\n"))
    assert (mail["outcome"], fields_of(changing.record("change"))) == ("rejected", {})
    told = changing.outbox()[-1]
    assert told["text"].startswith("Change No CHG1 is already closed and has not been updated.\n")
    commands = CommandPolicy(update_closed=True)
    changing.configure(a_configuration(changes(commands=commands), ANNA, record_types=(CHANGE,)))
    changing.receive(a_mail("ChangeNumber$1\nSummary$y\nStatus$Active\n"))
    record = changing.record("change")
    assert (fields_of(record), record["status"]) == ({"Summary": "y"}, "Closed")


@pytest.mark.req("IV-33", "IV-42", "VF-13")
def test_a_part_about_a_closed_record_is_reported_beside_what_was_done(changing: Desk) -> None:
    changing.receive(a_mail("Status$Closed\n"))
    (mail,) = changing.receive(a_mail("ChangeNumber$1\nSummary$x\n#\nSummary$y\n"))
    assert (mail["outcome"], [each["number"] for each in mail["records"]]) == ("recorded", ["CHG2"])
    assert "CHG1 is closed and takes no updates" in mail["reason"]
    (mail,) = changing.receive(a_mail("ChangeNumber$1\nSummary$x\n"))
    assert (mail["outcome"], mail["reason"]) == ("rejected", "CHG1 is closed and takes no updates")


@pytest.mark.req("IV-36", "IV-42", "VF-21")
@pytest.mark.parametrize("sender", ["bob@example.com", "mallory@elsewhere.example"])
def test_who_takes_no_part_is_answered_as_if_the_key_were_unknown(desk: Desk, sender: str) -> None:
    inbox = changes(email_when_no_target=True)
    desk.configure(a_configuration(inbox, ANNA, a_person("bob"), an_analyst(), record_types=(CHANGE,)))
    desk.receive(a_mail("Summary$One\n"))
    desk.receive(a_mail("ChangeNumber$1\nSummary$Bob\n", sender=sender))
    desk.receive(a_mail("ChangeNumber$7\nSummary$Bob\n", sender=sender))
    assert fields_of(desk.record("change"))["Summary"] == "One"
    answers = [(mail["subject"], mail["text"].replace("Change 7", "Change 1")) for mail in desk.outbox()]
    told = "Re: Printer" if sender == "bob@example.com" else "Record not found"
    assert [subject for subject, _ in answers] == [told] * 2
    assert len({text.partition("You wrote:")[0] for _, text in answers}) == 1
    desk.receive(a_mail("ChangeNumber$1\nSummary$Ann\n", sender="ann@example.com"))
    assert fields_of(desk.record("change"))["Summary"] == "Ann"


UNKNOWN = "ChangeNumber$CHG77\nSummary$x\n"


@pytest.mark.req("IV-21", "IV-23", "IV-36", "IV-37")
@pytest.mark.parametrize("text", [UNKNOWN, "x\n#\n" * 1200, f"{UNKNOWN}#\n{UNKNOWN}"])
@pytest.mark.parametrize("method", ["person", "object"])
def test_a_sender_of_whom_nothing_is_taken_makes_no_incident_and_learns_nothing(
    desk: Desk, text: str, method: Literal["person", "object"]
) -> None:
    wanted = ObjectMatch("problem", "reported_from", "Summary")
    inbox = changes(email_when_no_target=True, sender=SenderPolicy(method, "existing_only", object=wanted))
    desk.configure(a_configuration(inbox, record_types=(CHANGE,)))
    (mail,) = desk.receive(a_mail(text))
    assert (mail["outcome"], desk.records(), desk.outbox()) == ("rejected", [], [])


@pytest.mark.req("IV-36", "IV-37", "IV-42")
def test_an_unknown_number_is_reported_to_the_sender_and_is_an_incident_on_error(desk: Desk) -> None:
    desk.configure(a_configuration(changes(email_when_no_target=True, owner_team="Change Desk"), ANNA))
    (mail,) = desk.receive(a_mail(UNKNOWN, Message_ID="<asked@customer.example>"))
    (told,) = desk.outbox()
    incident = desk.record()
    assert (mail["outcome"], incident["type"], incident["owner_team"]) == ("dead", "incident", "Change Desk")
    assert "there is no Change CHG77" in incident["description"]
    assert (told["to"], told["in_reply_to"]) == (["anna@customer.example"], "<asked@customer.example>")
    assert "CHG77" in told["text"].partition("You wrote:")[0]


@pytest.mark.req("IV-36")
@pytest.mark.parametrize("header", ["List-Id", "Precedence", "Auto-Submitted"])
def test_a_robot_is_never_notified(desk: Desk, header: str) -> None:
    value = {"List-Id": "<l.example>", "Precedence": "bulk", "Auto-Submitted": "auto-generated"}[header]
    desk.configure(a_configuration(changes(email_when_no_target=True), ANNA))
    desk.receive(a_mail(UNKNOWN, **{header: value}))
    assert (desk.outbox(), desk.record()["type"]) == ([], "incident")


@pytest.mark.req("IV-36")
def test_nobody_is_notified_unless_the_inbox_says_so(changing: Desk) -> None:
    changing.receive(a_mail(UNKNOWN))
    assert changing.outbox() == []


@pytest.mark.req("IV-36")
def test_an_unknown_number_in_the_subject_is_reported_too(desk: Desk) -> None:
    desk.configure(a_configuration(changes(email_when_no_target=True), ANNA))
    desk.receive(a_mail("Please hurry.\n", subject="[Change - 77]"))
    assert ["- There is no Change 77\n" in mail["text"] for mail in desk.outbox()] == [True]
    assert desk.record("change")["subject"] == "[Change - 77]"


@pytest.mark.req("IV-36")
@pytest.mark.parametrize("processor", ["incident", "problem"])
def test_incident_and_problem_inboxes_tell_nobody(desk: Desk, processor: str) -> None:
    desk.configure(a_configuration(an_inbox(processor=processor, email_when_no_target=True), ANNA))
    desk.receive(a_mail("Please hurry.\n", subject=f"{processor}#77"))
    assert (desk.outbox(), desk.record()["type"]) == ([], processor)


@pytest.mark.req("IV-42", "IV-30")
def test_a_block_without_the_key_is_a_new_record(changing: Desk) -> None:
    changing.receive(a_mail("Summary$One\n"), a_mail("Summary$Two\n"), a_mail("ChangeNumber$\nSummary$Three\n"))
    assert [fields_of(each)["Summary"] for each in changing.records("change")] == ["One", "Two", "Three"]


@pytest.mark.req("IV-42")
@pytest.mark.parametrize("number", ["INC1", "CHG1x", "1 or 2", "-", "99999999999999999999999"])
def test_what_is_no_number_of_the_type_names_no_record(changing: Desk, number: str) -> None:
    changing.receive(a_mail("Summary$One\n"))
    (mail,) = changing.receive(a_mail(f"ChangeNumber${number}\nSummary$Two\n"))
    assert (mail["outcome"], fields_of(changing.record("change"))) == ("dead", {"Summary": "One"})
    assert f"there is no Change {number}" in mail["reason"]
