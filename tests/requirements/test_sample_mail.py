"""Requirement IV-43: a sample mail can be printed for users, and works when it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from services.operator.service_desk import manual_edits
from services.record_writer.sample import EXAMPLES, sample_mail
from shared.config.model import BUILT_IN_TYPES, RecordType
from tests.builders import a_configuration, a_person, an_analyst, an_inbox
from tests.desk import Desk
from tests.fields import fields_of

ORDER = RecordType("order", prefix="ORD", fields={"Item": "text", "Count": "number", "Due": "date", "Paid": "boolean"})
TYPES = [each for each in BUILT_IN_TYPES if each.name not in ("service_request", "incident")]


@pytest.mark.req("IV-43")
@pytest.mark.parametrize("type_", [*TYPES, ORDER], ids=lambda each: str(each.name))
@pytest.mark.parametrize("marker", [None, "#", "-"])
def test_a_sample_makes_the_records_it_shows(desk: Desk, type_: RecordType, marker: str | None) -> None:
    inbox = an_inbox(processor=type_.name, field_separator="$", record_marker=marker)
    desk.configure(a_configuration(inbox, an_analyst(addresses=("you@example.com",)), record_types=(ORDER,)))
    (mail,) = desk.receive(sample_mail(inbox, type_).encode())
    records = desk.records(type_.name)
    assert mail["outcome"] == "recorded"
    assert len(records) == len(desk.records()) == (2 if marker else 1)
    assert all(fields_of(record).keys() == type_.fields.keys() for record in records)


@pytest.mark.req("IV-43")
def test_a_sample_for_incidents_makes_one(desk: Desk) -> None:
    inbox = an_inbox()
    (type_,) = (each for each in BUILT_IN_TYPES if each.name == "incident")
    desk.receive(sample_mail(inbox, type_).encode())
    assert fields_of(desk.record("incident")) == {}


@pytest.mark.req("IV-43", "IV-35")
def test_a_sample_for_service_requests_updates_one(desk: Desk) -> None:
    keys: dict[str, Any] = {"processor": "service_request", "update_only": True, "field_separator": ":"}
    inbox = an_inbox(**keys)
    desk.configure(a_configuration(inbox, a_person("you", addresses=("you@example.com",))))
    type_ = desk.app.directory.type_named("service_request")
    assert type_ is not None
    for _ in range(12):
        record = manual_edits.create(desk.app, type_, manual_edits.NewRecord("Chair", customer="you"))
    (mail,) = desk.receive(sample_mail(inbox, type_).encode())
    assert (mail["outcome"], mail["records"][0]["number"]) == ("recorded", "SR12")
    assert fields_of(desk.document(record))["Category"] == EXAMPLES["text"][0]
