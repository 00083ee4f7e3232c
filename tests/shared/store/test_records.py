"""Records as rows: what an update leaves alone, and questions that must not read all records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from shared.contracts.change import Change, FieldValue
from shared.store.record import Record, pending_change, with_change
from shared.store.records import Records
from tests.desk import Desk

NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
MADE: Final = Change("create", "incident", "r1", "INC1", 1, "created", set=(FieldValue("status", "Logged"),))


def update(**keys: Any) -> Change:
    return Change("update", "incident", "r1", "INC1", 1, "updated", **keys)


CLOSES: Final = update(set=(FieldValue("status", "Closed"),), fields=(FieldValue("Room", "B 12"),), part="1")


def record(records: Records) -> Record:
    found = records.get("r1")
    assert found is not None
    return found


def test_a_record_is_there_with_the_change_that_made_it(desk: Desk) -> None:
    records = desk.app.records
    assert records.create_once(MADE, "m1", NOW)
    assert not records.create_once(MADE, "m2", NOW)
    assert record(records).version == 1
    assert pending_change(record(records), "m1", "0") == MADE
    assert pending_change(record(records), "m2", "0") is None


def test_a_commit_stores_its_change_until_the_mail_is_forgotten(desk: Desk) -> None:
    records = desk.app.records
    records.create_once(MADE, "m1", NOW)
    assert records.commit(record(records), CLOSES, "m2", NOW)
    assert [pending_change(record(records), "m2", part) for part in ("0", "1")] == [None, CLOSES]
    records.forget("r1", "m2")
    assert [entry.mail_id for entry in record(records).pending] == ["m1"]


def test_a_commit_on_a_version_that_has_passed_writes_nothing(desk: Desk) -> None:
    records = desk.app.records
    records.create_once(MADE, "m1", NOW)
    before = record(records)
    assert records.commit(before, update(), "m2", NOW)
    after = desk.store.get("records", "r1")
    assert not records.commit(before, CLOSES, "m3", NOW)
    assert desk.store.get("records", "r1") == after


def test_the_planner_sees_the_record_as_the_commit_leaves_it(desk: Desk) -> None:
    records = desk.app.records
    records.create_once(MADE, "m1", NOW)
    before = record(records)
    records.commit(before, CLOSES, "m2", NOW)
    after = record(records)
    assert with_change(before, CLOSES, NOW).fields == after.fields == {"Room": "B 12"}
    assert with_change(before, CLOSES, NOW).keys == after.keys == ("incident:room=b 12",)
    assert with_change(before, CLOSES, NOW).status == after.status == "Closed"
    assert with_change(before, CLOSES, NOW).version == after.version == 2


def test_an_update_keeps_what_a_newer_version_has_written(desk: Desk) -> None:
    newer = {"_id": "r1", "type": "incident", "serial": 1, "number": "INC1", "version": 7, "mood": {"today": "good"}}
    desk.store.insert("records", newer)
    assert desk.app.records.commit(record(desk.app.records), CLOSES, "m1", NOW)
    found = desk.store.get("records", "r1")
    assert found is not None
    assert (found["mood"], found["status"], found["version"]) == ({"today": "good"}, "Closed", 8)


def test_a_property_that_the_row_does_not_have_is_written_all_the_same(desk: Desk) -> None:
    desk.app.records.create_once(MADE, "m1", NOW)
    change = update(set=(FieldValue("mood", "good"),))
    assert with_change(record(desk.app.records), change, NOW).version == 2
    assert desk.app.records.commit(record(desk.app.records), change, "m2", NOW)
    assert (desk.store.get("records", "r1") or {})["mood"] == "good"


def test_a_page_of_records_is_cut_by_the_store(desk: Desk) -> None:
    asked: list[str] = []
    desk.app.records.documents.file.connection.set_trace_callback(asked.append)  # type: ignore[attr-defined]
    assert list(desk.app.records.list(5, 10, type_="incident", statuses=["Logged"])) == []
    (statement,) = asked
    assert statement.endswith("LIMIT 5 OFFSET 10")
