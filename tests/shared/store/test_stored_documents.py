"""What lies in the store of records, people and what hangs on them, to the last key and its place.

`golden/*.json` holds the documents that a desk has written; data files of earlier versions hold the same.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest

from services.operator.service_desk import manual_edits
from shared.config.model import CommandPolicy, ObjectMatch, RecordType, SenderPolicy
from shared.contracts.mapping import STORE, from_plain, to_plain
from shared.store.documents import Document
from shared.store.people import HistoryEntry, StoredPerson
from shared.store.record import Record, StoredActivity, StoredLink
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

GOLDEN: Final = Path(__file__).parent / "golden"
COLLECTIONS: Final = ("records", "activities", "links", "counters", "people", "history")
ROWS: Final = MappingProxyType(
    {
        "records": Record,
        "activities": StoredActivity,
        "links": StoredLink,
        "people": StoredPerson,
        "history": HistoryEntry,
    }
)
SITE: Final = RecordType("location", prefix="LOC", fields={"Email": "text", "Floor": "number"})
SITES: Final = SenderPolicy("object", object=ObjectMatch("location", "reported_from", "Email"))
FILE: Final = (("plan.txt", "text/plain", b"first floor"),)
BOUNDARY: Final = re.compile(rb"={15}\d+==")
"""What the standard library draws anew for each mail."""


@pytest.fixture
def worked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk on which everything has happened that makes or changes such documents."""
    desk.configure(
        a_configuration(
            an_inbox(task_for_every_email=True, owner_team="Desk", commands=CommandPolicy(use_linked_analyst=True)),
            an_inbox("sites", sender=SITES),
            an_inbox("changes", processor="change", record_marker="#", field_separator="$"),
            a_person("anna", name="Anna", addresses=("anna@customer.example",)),
            an_analyst(),
            record_types=(SITE,),
        )
    )
    for inbox, raw in MAILS:
        desk.receive(BOUNDARY.sub(b"=-=-=", raw), inbox=inbox)
    numbers = iter(range(0x52, 0x100))
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(numbers)))
    _edit(desk)
    return desk


MAILS: Final = (
    ("support", a_mail(Message_ID="<1@customer.example>", cc="bob@customer.example", files=FILE)),
    ("support", a_mail(sender="Eve <eve@elsewhere.example>", Message_ID="<2@elsewhere.example>")),
    ("support", a_mail(subject="Incident#1", Message_ID="<3@customer.example>")),
    ("support", a_mail(sender="Ann <ann@example.com>", Message_ID="<4@example.com>")),
    ("sites", a_mail(Message_ID="<5@customer.example>")),
    ("changes", a_mail("Summary$Old\nImpact$High\n", Message_ID="<6@customer.example>")),
    ("changes", a_mail("ChangeNumber$1\nSummary$New\n", Message_ID="<7@customer.example>")),
    ("changes", a_mail("ChangeNumber$77\n", Message_ID="<8@customer.example>")),
)


def _edit(desk: Desk) -> None:
    """What an operator makes and changes."""
    type_ = desk.app.directory.type_named("location")
    task = desk.app.directory.type_named("task")
    incident = desk.app.records.numbered("incident", 1)
    assert type_
    assert task
    assert incident
    hall = manual_edits.NewRecord("Hall", "Ground floor", customer="anna", values=(("Floor", "0"),))
    manual_edits.create(desk.app, type_, hall)
    below = manual_edits.create(desk.app, task, manual_edits.NewRecord("Chairs", parent=incident))
    manual_edits.change(desk.app, task, below.id, [("Status", "Waiting"), ("Owner", "ann"), ("Priority", "2")])


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_documents_of_a_collection_are_stored_as_ever(worked: Desk, collection: str) -> None:
    found = [_line(each) for each in worked.store.find(collection, {}, sort=(("_id", 1),))]
    assert found == (GOLDEN / f"{collection}.jsonl").read_text("utf-8").splitlines()


@pytest.mark.parametrize(("collection", "row"), ROWS.items(), ids=str)
def test_a_row_holds_all_that_its_document_holds(collection: str, row: Any) -> None:
    """A person of a configuration has the id twice; records differ in which of their members they have."""
    for line in (GOLDEN / f"{collection}.jsonl").read_text("utf-8").splitlines():
        document = {name: value for name, value in json.loads(line).items() if name != "id"}
        again = to_plain(row, STORE)(from_plain(row, STORE)(document))
        assert {name: again[name] for name in document} == document


def _line(document: Document) -> str:
    """A document with its keys in the order in which they are stored, and the first line of each of its texts."""
    cut = {key: value.partition("\n")[0] if isinstance(value, str) else value for key, value in document.items()}
    return json.dumps({**cut, **_configured(document)}, ensure_ascii=False, default=_told)


def _configured(document: Document) -> dict[str, str]:
    """The time at which a configuration was stored is that of the machine."""
    return {"created_at": "(when it was applied)"} if document.get("configured") else {}


def _told(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
