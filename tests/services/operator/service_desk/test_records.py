"""What people see of records and persons: rows in, views out."""

from __future__ import annotations

import pytest

from services.operator.errors import NotAvailable
from services.operator.service_desk import manual_edits, people, records
from shared.store.record import Record
from tests.builders import a_configuration, a_mail, a_person
from tests.desk import Desk

FILES = (("plan.txt", "text/plain", b"first floor"),)


@pytest.fixture
def seen(desk: Desk) -> Desk:
    desk.configure(a_configuration(a_person("anna", name="Anna", addresses=("anna@customer.example",))))
    desk.receive(a_mail(files=FILES), a_mail("again\n", subject="Incident#1", files=FILES))
    return desk


def incident(desk: Desk, number: str = "1") -> Record:
    type_ = desk.app.directory.type_named("incident")
    assert type_ is not None
    return records.record_numbered(desk.app, type_, number)


@pytest.mark.parametrize("number", ["1", " INC1 ", "inc1"])
def test_a_record_is_named_by_its_number_bare_or_as_shown(seen: Desk, number: str) -> None:
    assert incident(seen, number) == seen.app.records.get(seen.record()["_id"])


@pytest.mark.parametrize("number", ["2", "", "INC", "x1", "\u0661", "1" * 19])
def test_what_is_no_number_of_a_record_names_none(seen: Desk, number: str) -> None:
    with pytest.raises(NotAvailable, match="there is no incident"):
        incident(seen, number)


@pytest.mark.parametrize(
    ("named", "expected"), [("resolved", ["Resolved"]), ("waiting", ["Waiting"]), ("Nonsense", ["Nonsense"])]
)
def test_a_word_means_a_status_or_a_group_of_them(desk: Desk, named: str, expected: list[str]) -> None:
    type_ = desk.app.directory.type_named("incident")
    assert records.statuses_named(desk.app, type_, named) == expected


def test_a_view_begins_with_the_summary_and_has_what_hangs_on_the_record(seen: Desk) -> None:
    task = seen.app.directory.type_named("task")
    record = incident(seen)
    assert task is not None
    below = manual_edits.create(seen.app, task, manual_edits.NewRecord("Chairs", parent=record))
    shown = records.view(seen.app, record, 1)
    listed, whole = records.record_as_json(record), shown.as_json()
    assert {**whole, **listed} == {**whole, "customer": "anna"}
    assert list(whole)[: len(listed) - 1] == list(listed)[:-1]
    assert shown.customer == records.CustomerView("anna", "Anna", "anna@customer.example", "employee")
    assert shown.tasks == (below,)
    assert whole["tasks"] == [
        {name: value for name, value in records.record_as_json(below).items() if name != "record_id"}
    ]
    assert [each.filename for each in shown.attachments] == ["plan.txt"]
    assert [each.text.strip() for each in shown.activities] == ["again"]
    assert records.view(seen.app, below, 1).links == (records.LinkView("parent", "incident", "INC1"),)


def test_a_person_is_named_by_id_or_address_and_has_the_mails(seen: Desk) -> None:
    anna = people.person_named(seen.app, "Anna@customer.example")
    assert people.person_named(seen.app, "anna") == anna
    with pytest.raises(NotAvailable, match="there is no person 'nobody'"):
        people.person_named(seen.app, "nobody")
    assert people.summary(anna)["addresses"] == ("anna@customer.example",)
    history = people.history(seen.app, anna, 10)
    assert [(each.entry.number, each.entry.event, each.subject, each.outcome) for each in history] == [
        ("INC1", "updated", "Incident#1", "recorded"),
        ("INC1", "created", "Printer", "recorded"),
    ]
