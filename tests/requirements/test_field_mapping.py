"""Requirement IV-32: field mapping, through the whole pipeline."""

from __future__ import annotations

from typing import Any

import pytest

from shared.config.model import RecordType, Statuses
from tests.builders import a_configuration, a_mail, a_person, an_inbox
from tests.desk import Desk
from tests.fields import fields_of, own

NOTE = RecordType(
    "note",
    prefix="N",
    fields={"Title": "text", "Amount": "number", "Due": "date", "Urgent": "boolean"},
    statuses=Statuses(open=("New", "Seen"), resolved=(), closed=("Done",)),
)


def receive(desk: Desk, mapping: dict[str, str], *people: Any, processor: str = "note", **mail: Any) -> None:
    inbox = an_inbox(processor=processor, field_mapping=mapping)
    desk.configure(a_configuration(inbox, *people, record_types=(NOTE,)))
    desk.receive(a_mail(mail.pop("text", "Body.\n"), **mail))


TO = "one@a.example, Two <two@b.example>"


@pytest.mark.req("IV-32")
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("a constant", "a constant"),
        ("@From", "anna@customer.example"),
        ("@FROM and @from", "anna@customer.example and anna@customer.example"),
        ("@To", "one@a.example"),
        ("@To[0]", "one@a.example"),
        ("@to[-3]", "one@a.example"),
        ("@To[]", "one@a.example"),
        ("@TO[1]", "one@a.example"),
        ("@To[2]", "two@b.example"),
        ("[@To[3]]", "[]"),
        ("@CC", "copy@c.example"),
        ("@cc[1]/@CC[2]", "copy@c.example/"),
        ("@FirstName@LastName", "AnnaBecker"),
        ("@LastName, @FirstName.", "Becker, Anna."),
        ("@Subject", "Printer @From"),
        ("@body!", "Body.!"),
        ("@@From", "@From"),
        ("@@@From", "@anna@customer.example"),
        ("@@Fromage @@Tony @@CCs", "@Fromage @Tony @CCs"),
        ("ops@body.example, desk@to.example", "ops@body.example, desk@to.example"),
        ("@", "@"),
    ],
)
def test_tokens_and_constants(desk: Desk, template: str, expected: str) -> None:
    receive(desk, {"Title": template}, text="Body.", to=TO, subject="Printer @From", Cc="copy@c.example")
    assert fields_of(desk.record("note"))["Title"].replace("\n", "") == expected


@pytest.mark.req("IV-32")
@pytest.mark.parametrize(
    ("sender", "known", "expected"),
    [
        ("Somebody Else <anna@customer.example>", "Anna Maria Becker", "Anna Maria|Becker"),
        ("Anna Becker <anna@customer.example>", None, "Anna|Becker"),
        ('"Becker, Anna" <anna@customer.example>', None, "Anna|Becker"),
        ("Anna <anna@customer.example>", None, "Anna|"),
        ("anna@customer.example", None, "|"),
    ],
)
def test_names_are_the_matched_persons_or_else_the_display_name(
    desk: Desk, sender: str, known: str | None, expected: str
) -> None:
    people = [a_person("anna", name=known, addresses=("anna@customer.example",))] if known else []
    receive(desk, {"Title": "@FirstName|@LastName"}, *people, sender=sender)
    assert fields_of(desk.record("note"))["Title"] == expected


@pytest.mark.req("IV-32")
def test_targets_have_types_and_names_are_found_whatever_their_case(desk: Desk) -> None:
    receive(desk, {"title": "x", "AMOUNT": "12", "due": "2026-12-24", "Urgent": "yes", "status": "seen"})
    record = desk.record("note")
    assert fields_of(record) == {"Title": "x", "Amount": 12, "Due": "2026-12-24", "Urgent": True}
    assert record["status"] == "Seen"


@pytest.mark.req("IV-32", "IV-37")
@pytest.mark.parametrize(
    ("field", "value"),
    [("Amount", "Printer"), ("Due", "soon"), ("Status", "Gone"), ("Urgent", "2")],
)
def test_a_bad_value_is_an_incident_on_error_that_names_field_and_value(desk: Desk, field: str, value: str) -> None:
    receive(desk, {field: "@Subject"}, subject=value)
    incident = desk.record()
    assert incident["type"] == "incident"
    assert f"the field {field} takes" in incident["description"]
    assert repr(value) in incident["description"]
    assert [mail["outcome"] for mail in desk.mails()] == ["dead"]


@pytest.mark.req("IV-32")
def test_the_records_own_properties_can_be_mapped(desk: Desk) -> None:
    person = a_person("jdoe")
    mapping = {"Subject": "About @Subject", "Owner": "jdoe@example.com", "OwnerTeam": "Night", "Status": "Seen"}
    receive(desk, mapping, person)
    record = desk.record("note")
    assert own(record) == ("About Printer", "jdoe", "Night", "Seen")
    assert fields_of(record) == {}


@pytest.mark.req("IV-32")
def test_a_mapped_subject_is_one_line(desk: Desk) -> None:
    receive(desk, {"Subject": "@Body"}, text="It is\n\ton fire.\n")
    assert desk.record("note")["subject"] == "It is on fire."


@pytest.mark.req("IV-32")
def test_what_a_mail_holds_is_never_read_as_a_template(desk: Desk) -> None:
    receive(desk, {"Title": "@Subject / @Body"}, text="@From @@ @Subject", subject="@Body")
    assert fields_of(desk.record("note"))["Title"].strip() == "@Body / @From @@ @Subject"


@pytest.mark.req("IV-32")
def test_a_mapped_field_that_the_type_does_not_list_is_kept_as_text(desk: Desk) -> None:
    receive(desk, {"Keywords": "@From"}, processor="incident")
    assert fields_of(desk.record("incident")) == {"Keywords": "anna@customer.example"}


@pytest.mark.req("IV-32", "PR-17")
def test_description_and_source_are_fields_and_the_records_own(desk: Desk) -> None:
    receive(desk, {"Description": "Said: @Subject", "Source": "Portal"}, processor="incident")
    record = desk.record("incident")
    assert (record["description"], record["source"]) == ("Said: Printer", "Portal")
    assert fields_of(record) == {"Description": "Said: Printer", "Source": "Portal"}


@pytest.mark.req("IV-32")
def test_an_empty_token_sets_nothing(desk: Desk) -> None:
    receive(desk, {"Title": "@CC[2]", "Amount": "@CC"})
    assert fields_of(desk.record("note")) == {}


@pytest.mark.req("IV-32")
def test_an_update_leaves_mapped_fields_alone(desk: Desk) -> None:
    receive(desk, {"Title": "@Subject", "Status": "Seen"}, Message_ID="<a@b.example>")
    desk.receive(a_mail("More.\n", subject="Re: something else", In_Reply_To="<a@b.example>"))
    record = desk.record("note")
    assert (fields_of(record), record["status"]) == ({"Title": "Printer"}, "Seen")
