"""Requirement IV-35: inboxes that only update, service requests first; IV-36 there too."""

from __future__ import annotations

from typing import Any

import pytest

from services.operator.service_desk import manual_edits
from shared.config.model import Inbox
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_inbox
from tests.desk import Desk
from tests.fields import fields_of, texts

ANNA = a_person("anna", addresses=("anna@customer.example",), roles=("user", "analyst"))


def requests(**keys: Any) -> Inbox:
    return an_inbox(processor="service_request", update_only=True, field_separator=":", owner_team="Front", **keys)


def made(desk: Desk, type_name: str = "service_request", **keys: Any) -> Document:
    type_ = desk.app.directory.type_named(type_name)
    assert type_ is not None
    return desk.document(manual_edits.create(desk.app, type_, manual_edits.NewRecord("Chair", customer="anna", **keys)))


def again(desk: Desk, record: Document) -> Document:
    return desk.document(desk.app.records.get(record["_id"]))


@pytest.fixture
def asked(desk: Desk) -> Desk:
    desk.configure(a_configuration(requests(), ANNA))
    return desk


@pytest.mark.req("IV-35", "IV-31")
@pytest.mark.parametrize("named", ["ServiceRequestNumber: SR1\n", "servicerequestnumber:1\n"])
def test_fields_in_the_body_update_the_request_they_name(asked: Desk, named: str) -> None:
    record = made(asked, values=(("Category", "Seats"),))
    (mail,) = asked.receive(a_mail(f"{named}Summary: Two chairs\nPriority: 2\nStatus: Waiting\n", subject="about it"))
    after = again(asked, record)
    assert (mail["outcome"], mail["records"][0]["number"]) == ("recorded", "SR1")
    assert fields_of(after) == {"Category": "Seats", "Summary": "Two chairs", "Priority": 2}
    assert (after["status"], after["updated_by_mail"], len(asked.records())) == ("Waiting", True, 1)
    assert "Summary: Two chairs" in texts(asked.activities(after))[0]


@pytest.mark.req("IV-35")
@pytest.mark.parametrize("subject", ["Re: Service Request#1", "[request - SR1]", "service_request#SR1"])
def test_without_valid_fields_the_number_of_the_subject_counts(asked: Desk, subject: str) -> None:
    record = made(asked)
    asked.receive(a_mail("When does it come?\nColour: red\n", subject=subject))
    after = again(asked, record)
    assert (fields_of(after), len(asked.records())) == ({}, 1)
    assert texts(asked.activities(after)) == ["When does it come?\nColour: red"]


@pytest.mark.req("IV-35")
def test_fields_go_to_the_request_that_the_subject_names(asked: Desk) -> None:
    record = made(asked)
    asked.receive(a_mail("Category: Seats\n", subject="request#1"))
    assert fields_of(again(asked, record)) == {"Category": "Seats"}


@pytest.mark.req("IV-35", "IV-38")
@pytest.mark.parametrize(
    ("body", "subject"),
    [
        ("A new chair, please.\n", "Chair"),
        ("Summary: chair\n", "Chair"),
        ("ServiceRequestNumber: 77\nSummary: chair\n", "Chair"),
        ("Where is it?\n", "Request#77"),
    ],
)
def test_a_request_that_cannot_be_found_becomes_an_incident_with_the_mail(asked: Desk, body: str, subject: str) -> None:
    (mail,) = asked.receive(a_mail(body, subject=subject, files=(("a.txt", "text/plain", b"hello\n"),)))
    record = asked.record()
    assert (mail["outcome"], record["type"], record["owner_team"]) == ("recorded", "incident", "Front")
    assert (record["subject"], record["description"].strip(), fields_of(record)) == (subject, body.strip(), {})
    (activity,) = asked.activities(record)
    assert (activity["text"].strip(), activity["attachments"][0]["filename"]) == (body.strip(), "a.txt")


@pytest.mark.req("IV-35", "IV-33")
def test_however_many_parts_find_no_request_one_incident_has_the_whole_mail(desk: Desk) -> None:
    desk.configure(a_configuration(requests(record_marker="#"), ANNA))
    record = made(desk)
    (mail,) = desk.receive(a_mail("Summary: a\n#\nServiceRequestNumber: 1\nSummary: b\n#\nSummary: c\n"))
    incident = desk.record("incident")
    assert mail["outcome"] == "recorded"
    assert "Summary: a\n#\nServiceRequestNumber: 1" in incident["description"]
    assert fields_of(again(desk, record)) == {"Summary": "b"}


@pytest.mark.req("IV-35", "IV-36")
def test_the_sender_is_notified_of_a_missing_request_if_the_inbox_says_so(desk: Desk) -> None:
    desk.configure(a_configuration(requests(email_when_no_target=True), ANNA))
    desk.receive(a_mail("ServiceRequestNumber: SR77\n"), a_mail("Hello.\n"))
    assert ["- There is no Service Request SR77\n" in each["text"] for each in desk.outbox()] == [True]


@pytest.mark.req("IV-35", "IV-37")
def test_a_bad_value_is_an_incident_on_error_and_changes_nothing(asked: Desk) -> None:
    record = made(asked)
    (mail,) = asked.receive(a_mail("ServiceRequestNumber: 1\nPriority: urgent\nSummary: x\n"))
    assert (mail["outcome"], fields_of(again(asked, record))) == ("dead", {})
    assert "the field Priority takes a number, not 'urgent'" in asked.record("incident")["description"]


@pytest.mark.req("IV-35")
def test_a_resolved_request_is_worked_on_again(asked: Desk) -> None:
    record = made(asked, values=(("Status", "Resolved"),))
    asked.receive(a_mail("Not yet.\n", subject="request#1"))
    assert again(asked, record)["status"] == "Active"


@pytest.mark.req("IV-35")
@pytest.mark.parametrize("policy", ["reply", "subject"])
def test_no_other_path_makes_a_request_by_mail(desk: Desk, policy: str) -> None:
    desk.configure(a_configuration(ANNA))
    subject = {"reply": "Re: Service Request", "subject": "service_request#5"}[policy]
    desk.receive(a_mail(subject=subject))
    assert [record["type"] for record in desk.records()] == ["incident"]


@pytest.mark.req("IV-30")
def test_any_other_type_may_be_updated_only(desk: Desk) -> None:
    inbox = an_inbox(processor="change", update_only=True, field_separator=":")
    desk.configure(a_configuration(inbox, ANNA))
    record = made(desk, "change")
    desk.receive(a_mail("ChangeNumber: 1\nCategory: Net\n"), a_mail("Category: Net\n"))
    assert fields_of(again(desk, record)) == {"Category": "Net"}
    assert [each["type"] for each in desk.records()] == ["change", "incident"]
