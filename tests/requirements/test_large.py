"""Large mails, long records, busy people: nothing grows inside a document, and nothing that is long is read through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from services.operator.service_desk.records import view
from shared.config.model import RecordType
from shared.contracts.change import Activity
from shared.embedded.documents import EmbeddedDocuments
from shared.store.documents import Document
from shared.store.record import Record
from tests.builders import a_configuration, a_mail, a_person, an_inbox
from tests.desk import Desk
from tests.fields import fields_of
from tests.servers.documents import uses_index

MANY = 10_000
BIG = RecordType("big", prefix="B", fields={f"Field {number}": "text" for number in range(500)})
ANNA = a_person("anna", addresses=("anna@customer.example",))
FIRST, SHORT = "<first@customer.example>", "<short@mail.example>"


@pytest.fixture
def large(desk: Desk) -> Desk:
    desk.configure(
        a_configuration(an_inbox(processor="big", record_marker="#", field_separator="$"), ANNA, record_types=(BIG,))
    )
    return desk


def size(document: Document) -> int:
    """Bytes, about as a store has them."""
    return len(json.dumps(document, default=str).encode())


class Rows:
    """Counts the documents that a store hands out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, find, get = 0, EmbeddedDocuments.find, EmbeddedDocuments.get

        def counted_find(store: EmbeddedDocuments, *args: Any, **keys: Any) -> Iterator[Document]:
            found = list(find(store, *args, **keys))
            self.count += len(found)
            return iter(found)

        def counted_get(store: EmbeddedDocuments, *args: Any) -> Document | None:
            self.count += 1
            return get(store, *args)

        monkeypatch.setattr(EmbeddedDocuments, "find", counted_find)
        monkeypatch.setattr(EmbeddedDocuments, "get", counted_get)

    def during(self, work: Any) -> int:
        """How many while something is done."""
        before = self.count
        work()
        return self.count - before


@pytest.mark.req("IV-33")
def test_one_mail_makes_two_hundred_records(large: Desk) -> None:
    body = "\n#\n".join(f"Field 1$record {number}\nField 2$x" for number in range(200))
    (mail,) = large.receive(a_mail(body))
    records = large.records()
    assert mail["outcome"] == "recorded"
    assert [fields_of(each)["Field 1"] for each in records] == [f"record {number}" for number in range(200)]
    assert max(map(size, records)) < 2_000
    assert size(mail) < 200_000
    assert not any(each["pending"] for each in records)


@pytest.mark.req("IV-42")
def test_one_mail_updates_one_record_two_hundred_times(large: Desk) -> None:
    large.receive(a_mail("Field 1$a"))
    large.receive(a_mail("\n#\n".join(f"BigNumber$1\nField 1$update {number}" for number in range(200))))
    record = large.record()
    assert (fields_of(record), len(large.activities(record))) == ({"Field 1": "update 199"}, 201)
    assert size(record) < 2_000


@pytest.mark.req("IV-33", "IV-37")
def test_more_updates_of_one_record_than_a_mail_may_have_are_reported_and_not_made(large: Desk) -> None:
    large.receive(a_mail("Field 1$a"))
    (mail,) = large.receive(a_mail("\n#\n".join(f"BigNumber$1\nField 1$update {number}" for number in range(260))))
    assert fields_of(large.record("big")) == {"Field 1": "update 249"}
    assert mail["outcome"] == "recorded"
    assert "part 251: more than 250 parts" in large.record("incident")["description"]


@pytest.mark.req("IV-34")
def test_one_mail_sets_five_hundred_fields(large: Desk) -> None:
    (mail,) = large.receive(a_mail("\n".join(f"Field {number}$value {number}" for number in range(500))))
    record = large.record()
    assert fields_of(record) == {f"Field {number}": f"value {number}" for number in range(500)}
    assert (mail["outcome"], size(record) < 60_000, size(mail) < 5_000) == ("recorded", True, True)


@pytest.mark.req("IV-34", "IV-37")
def test_fields_beyond_what_a_document_holds_are_an_incident_on_error(large: Desk) -> None:
    long = "\n".join(f"Field {number}$" + "lorem " * 1500 for number in range(200))
    (mail,) = large.receive(a_mail(long))
    incident = large.record()
    assert (mail["outcome"], incident["type"]) == ("dead", "incident")
    assert "at most 1000000 characters" in incident["description"]


@pytest.mark.req("IV-31", "IV-25")
def test_a_record_with_ten_thousand_activities_costs_what_one_with_one_does(
    large: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    large.receive(a_mail("Field 1$short", Message_ID=SHORT), a_mail("Field 1$long", Message_ID=FIRST))
    _, long = large.records()
    _fill(large, long)
    rows = Rows(monkeypatch)
    costs = [
        rows.during(lambda number=number: _work_on(large, a_mail(f"BigNumber${number}\nField 1$x")))  # type: ignore[misc]
        for number in (1, 2)
    ]
    assert abs(costs[0] - costs[1]) < 10
    threaded = [
        rows.during(lambda parent=parent: _work_on(large, a_mail("x\n", In_Reply_To=parent)))  # type: ignore[misc]
        for parent in (SHORT, FIRST)
    ]
    assert threaded[1] <= threaded[0] + 20, "of what a reply may repeat, a few newest texts are read"
    shown = rows.during(lambda: view(large.app, _row(large, long), 50))
    assert shown < 1_100
    assert rows.during(lambda: list(large.app.people.history("anna", 50))) == 50
    record, person = large.store.get("records", long["_id"]), large.store.get("people", "anna")
    assert size(record or {}) < 2_000
    assert size(person or {}) < 1_000
    newest = large.app.records.activities(long["_id"], 50)
    assert len(newest) == 50
    assert newest[-1].kind == "email"


def _row(desk: Desk, record: Document) -> Record:
    found = desk.app.records.get(record["_id"])
    assert found is not None
    return found


def _fill(desk: Desk, record: Document) -> None:
    note, now = Activity("note", "x" * 100, "somebody"), desk.clock.now()
    entry = {
        "person_id": "anna",
        "record_id": record["_id"],
        "type": "big",
        "number": "B2",
        "event": "updated",
        "at": now,
    }
    with desk.store.batch():
        for number in range(MANY):
            desk.app.records.add_activity(record["_id"], f"cause-{number}", 0, note, now, f"mail-{number}")
            desk.store.insert("history", {"_id": f"history-{number}", "mail_id": f"mail-{number}", **entry})


@pytest.mark.parametrize(
    ("collection", "where", "sort"),
    [
        ("records", {"type": "incident", "serial": 1}, ()),
        ("records", {"keys": "location:email=a@b.example"}, (("serial", 1),)),
        ("activities", {"record_id": "x"}, (("at", -1), ("place", -1))),
        ("links", {"from_id": "x"}, ()),
        ("links", {"to_id": "x"}, ()),
        ("history", {"person_id": "x"}, (("at", -1),)),
        ("mails", {"message_key": {"$in": ["a", "b"]}}, ()),
        ("mails", {"message_key": "a"}, (("received_at", 1),)),
        ("mails", {"message_key": "a", "sender_key": "b"}, (("received_at", 1),)),
        ("outbox", {"message_key": {"$in": ["a", "b"]}}, ()),
        ("people", {"addresses": "a@b.example"}, (("created_at", 1), ("_id", 1))),
    ],
)
def test_what_the_writer_asks_is_served_by_an_index(
    desk: Desk, collection: str, where: dict[str, Any], sort: tuple[tuple[str, int], ...]
) -> None:
    assert uses_index(desk.store, collection, where, sort)


def _work_on(desk: Desk, raw: bytes) -> None:
    """Hand a mail in and work, without looking at all mails."""
    desk.hand_in(raw)
    desk.work()
