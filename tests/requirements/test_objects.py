"""Requirements IV-23, IV-24, IV-41: records linked to a record of another type (method 2)."""

from __future__ import annotations

from typing import Any

import pytest

from services.operator.mail import actions
from services.operator.service_desk import manual_edits
from shared.config.model import (
    CommandPolicy,
    Configuration,
    Inbox,
    MatchValue,
    ObjectMatch,
    RecordType,
    SenderPolicy,
    Statuses,
)
from shared.config.problems import InvalidConfiguration
from shared.config.reading import load_bytes
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_inbox
from tests.desk import Desk
from tests.fields import fields_of

LOCATION = RecordType(
    "location",
    number_field="LocationNumber",
    prefix="LOC",
    fields={"Email": "text", "Title": "text", "Code": "text", "Floor": "number"},
    statuses=Statuses(open=("Active",), resolved=(), closed=("Gone",)),
)


def located(policy: str = "create", **match: Any) -> Inbox:
    found = ObjectMatch("location", "reported_from", **(match or {"match_from_field": "Email"}))
    return an_inbox(sender=SenderPolicy("object", policy, object=found))  # type: ignore[arg-type]


def with_inbox(inbox: Inbox, *people: Any) -> Configuration:
    return a_configuration(inbox, *people, record_types=(LOCATION,))


def a_location(desk: Desk, **fields: str) -> Document:
    return desk.document(
        manual_edits.create(desk.app, LOCATION, manual_edits.NewRecord("Hall", values=tuple(fields.items())))
    )


def links_of(desk: Desk, record: Document) -> list[tuple[str, str, str]]:
    return [(each.relationship, each.from_id, each.to_id) for each in desk.app.records.links(record["_id"])]


@pytest.mark.req("IV-23", "IV-24", "PR-17")
@pytest.mark.parametrize("policy", ["create", "existing_only"])
def test_a_record_is_linked_to_the_object_with_the_senders_address(desk: Desk, policy: str) -> None:
    desk.configure(with_inbox(located(policy)))
    hall = a_location(desk, Email="ANNA@customer.example")
    (mail,) = desk.receive(a_mail())
    incident = desk.record("incident")
    link = ("reported_from", incident["_id"], hall["_id"])
    assert mail["outcome"] == "recorded"
    assert links_of(desk, incident) == links_of(desk, hall) == [link]
    assert (incident["customer"], len(desk.records("location")), len(desk.people())) == (None, 1, 1)


@pytest.mark.req("IV-23", "IV-41")
def test_an_unknown_object_is_made_with_a_mapping_of_its_own_and_linked(desk: Desk) -> None:
    mapping = {"Title": "@FirstName @LastName", "Floor": "3", "Subject": "Site of @From"}
    desk.configure(with_inbox(located(match_from_field="Email", field_mapping=mapping)))
    desk.receive(a_mail())
    place, incident = desk.record("location"), desk.record("incident")
    assert fields_of(place) == {"Title": "Anna Becker", "Floor": 3, "Email": "anna@customer.example"}
    assert (place["subject"], place["status"], place["number"]) == ("Site of anna@customer.example", "Active", "LOC1")
    assert links_of(desk, place) == [("reported_from", incident["_id"], place["_id"])]
    assert "pending" not in place or place["pending"] == []


@pytest.mark.req("IV-23")
def test_two_mails_at_once_make_one_object(desk: Desk) -> None:
    desk.configure(with_inbox(located()))
    desk.receive(
        a_mail("one\n"), a_mail("two\n", sender="Anna@Customer.example"), a_mail("x\n", sender="bob@b.example")
    )
    first, second = desk.records("location")
    assert [fields_of(each)["Email"].lower() for each in (first, second)] == ["anna@customer.example", "bob@b.example"]
    assert len(links_of(desk, first)) == 2


@pytest.mark.req("IV-23")
def test_only_when_it_exists_makes_neither_object_nor_record(desk: Desk) -> None:
    desk.configure(with_inbox(located("existing_only")))
    (mail,) = desk.receive(a_mail())
    assert (mail["outcome"], desk.records(), len(desk.people())) == ("rejected", [], 1)
    assert "there is no location" in mail["reason"]


@pytest.mark.req("PR-01", "IV-23")
def test_a_released_mail_becomes_a_record_without_an_object(desk: Desk) -> None:
    desk.configure(with_inbox(located("existing_only")))
    (mail,) = desk.receive(a_mail())
    actions.release(desk.app, mail["_id"])
    desk.work()
    assert [mail["outcome"] for mail in desk.mails()] == ["recorded"]
    assert links_of(desk, desk.record("incident")) == []


@pytest.mark.req("IV-24")
def test_the_object_may_be_fixed_by_a_value(desk: Desk) -> None:
    fixed = MatchValue("Code", "HQ")
    desk.configure(with_inbox(located(match_value=fixed, field_mapping={"Email": "@From"})))
    desk.receive(a_mail(), a_mail("again\n", sender="bob@b.example"))
    place = desk.record("location")
    assert fields_of(place) == {"Code": "HQ", "Email": "anna@customer.example"}
    assert len(links_of(desk, place)) == 2


@pytest.mark.req("IV-24")
def test_an_object_that_is_there_keeps_its_fields(desk: Desk) -> None:
    desk.configure(with_inbox(located(match_value=MatchValue("Code", "hq"), field_mapping={"Title": "new"})))
    hall = a_location(desk, Code="HQ", Title="Hall")
    desk.receive(a_mail())
    assert fields_of(desk.record("location")) == {"Code": "HQ", "Title": "Hall"}
    assert len(links_of(desk, hall)) == 1


@pytest.mark.req("IV-23", "IV-25", "VS-06")
def test_a_person_who_is_known_is_the_customer_all_the_same(desk: Desk) -> None:
    desk.configure(with_inbox(located(), a_person("anna", addresses=("anna@customer.example",))))
    desk.receive(a_mail())
    incident = desk.record("incident")
    (activity,) = desk.activities(incident)
    assert (incident["customer"], activity["by"]) == ("anna", "Jane Doe")
    assert [each.number for each in desk.app.people.history("anna", 10)] == ["INC1"]


@pytest.mark.req("IV-23", "VF-21")
def test_the_sender_of_the_object_takes_part_in_what_it_reported(desk: Desk) -> None:
    desk.configure(with_inbox(located()))
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject="Incident#1"), a_mail("mine\n", sender="eve@e.example", subject="Incident#1"))
    assert [len(desk.activities(record)) for record in desk.records("incident")] == [2, 1]


@pytest.mark.req("IV-24", "VF-16")
def test_a_fixed_object_proves_nothing_about_the_sender(desk: Desk) -> None:
    desk.configure(with_inbox(located(match_value=MatchValue("Code", "HQ"))))
    desk.receive(a_mail())
    desk.receive(a_mail("mine\n", sender="eve@e.example", subject="Incident#1"))
    assert [len(desk.activities(record)) for record in desk.records("incident")] == [1, 1]


@pytest.mark.req("IV-37", "IV-41")
def test_a_bad_value_for_the_object_is_an_incident_on_error(desk: Desk) -> None:
    inbox = located(match_from_field="Email", field_mapping={"Floor": "@Subject"})
    desk.configure(with_inbox(Inbox("support", inbox.address, processor="problem", sender=inbox.sender)))
    (mail,) = desk.receive(a_mail(subject="third"))
    assert (mail["outcome"], desk.record()["type"]) == ("dead", "incident")
    assert "the field Floor takes a number, not 'third'" in desk.record()["description"]


@pytest.mark.req("IV-35", "IV-23")
def test_no_service_request_is_created_as_an_object(desk: Desk) -> None:
    found = ObjectMatch("service_request", "reported_from", "Category")
    with pytest.raises(InvalidConfiguration, match="mail never creates service requests"):
        desk.configure(a_configuration(an_inbox(sender=SenderPolicy("object", object=found))))


@pytest.mark.req("IV-23")
def test_a_deleted_object_is_not_linked(desk: Desk) -> None:
    desk.configure(with_inbox(located("existing_only")))
    hall = a_location(desk, Email="anna@customer.example")
    desk.store.update("records", {"_id": hall["_id"]}, {"$set": {"deleted": True}})
    (mail,) = desk.receive(a_mail())
    assert mail["outcome"] == "rejected"


HEAD = "inboxes: [{name: support, address: support@example.com, protocol: none, "
TYPES = "record_types: [{name: location, fields: {Email: text, Code: text}}]\n"
OBJECT = "object: {type: location, relationship: reported_from"
EXPORT = "processor: xml_export, export: {connection: c}, "


@pytest.mark.req("IV-23", "IV-24")
@pytest.mark.parametrize(
    ("inbox", "complaint"),
    [
        (
            f"sender: {{method: object, {OBJECT}, match_from_field: Email, match_value: {{field: Code, value: x}}}}}}",
            "IV-24",
        ),
        (f"sender: {{method: object, {OBJECT}}}}}", "match_from_field"),
        (
            f"{EXPORT}sender: {{method: object, {OBJECT}, match_from_field: Email}}}}",
            "IV-24",
        ),
        ("sender: {method: object}", "object"),
        (
            "sender: {method: object, object: {type: place, relationship: reported_from, match_from_field: Email}}",
            "place",
        ),
        ("sender: {method: object, object: {type: location, relationship: near, match_from_field: Email}}", "near"),
        (
            f"sender: {{method: object, policy: without_creating, {OBJECT}, match_from_field: Email}}}}",
            "without_creating",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_with_its_line(inbox: str, complaint: str) -> None:
    text = f"{TYPES}connections: [{{name: c, path: out}}]\n{HEAD}{inbox}}}]\n"
    with pytest.raises(InvalidConfiguration) as refused:
        load_bytes(text.encode())
    assert any(complaint in str(problem) and problem.line == 3 for problem in refused.value.problems)


def test_updates_need_no_object(desk: Desk) -> None:
    commands = CommandPolicy(update_anonymously=True)
    inbox = located("existing_only")
    desk.configure(with_inbox(Inbox("support", inbox.address, sender=inbox.sender, commands=commands)))
    manual_edits.create(desk.app, desk.app.directory.type_named("incident"), manual_edits.NewRecord("Old"))  # type: ignore[arg-type]
    (mail,) = desk.receive(a_mail("note\n", subject="Incident#1"))
    assert (mail["outcome"], len(desk.records("incident"))) == ("recorded", 1)
