"""Each row's golden document: what the store keeps of it stays the same, so that existing stores can be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from shared.contracts import codec
from shared.contracts.change import Target
from shared.contracts.events import MailRejected
from shared.contracts.mail import Address
from shared.embedded.documents import EmbeddedDocuments
from shared.store.arrivals import Arrival, Arrivals
from shared.store.documents import Document
from shared.store.journal import Journal, JournalEntry
from shared.store.mails import Mails, RecordLabel, StoredMail

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedDocuments]:
    store = EmbeddedDocuments(tmp_path / "data")
    yield store
    store.close()


def only(store: EmbeddedDocuments, collection: str) -> Document:
    """The collection's only document."""
    (found,) = store.find(collection, {})
    return found


def test_a_journal_entry_is_kept_as_it_always_was(store: EmbeddedDocuments) -> None:
    entry = JournalEntry("m1-1", "m1", "filter", AT, "MailAccepted", "no rule matched", 2)
    Journal(store).add([entry])
    assert list(only(store, "journal").items()) == [
        ("_id", "m1-1"),
        ("mail_id", "m1"),
        ("stage", "filter"),
        ("at", AT),
        ("decision", "MailAccepted"),
        ("why", "no rule matched"),
        ("attempt", 2),
    ]
    assert Journal(store).of_mail("m1") == [entry]


def test_an_arrival_is_kept_as_it_always_was(store: EmbeddedDocuments) -> None:
    Arrivals(store).handed_in("a1", "support", AT)
    golden = [("_id", "a1"), ("inbox", "support"), ("at", AT), ("state", "handed-in"), ("mail_id", None)]
    assert list(only(store, "arrivals").items()) == golden
    Arrivals(store).taken("a1", "", AT, "m1", duplicate=False)
    assert Arrivals(store).get("a1") == Arrival("a1", "support", AT, "taken", "m1")


READ: Final[dict[str, Any]] = {
    "id": "m1",
    "inbox": "support",
    "raw": "0" * 64,
    "size": 400,
    "arrival": "a1",
    "received_at": AT,
    "from_": Address("Anna", "anna@customer.example"),
    "subject": "Printer",
    "sender_key": "anna@customer.example",
    "reply_to": ("desk@customer.example",),
    "to": ("support@example.com",),
    "date": "2026-11-20T11:59:00Z",
    "kind": "message",
    "message_id": "<M1@customer.example>",
    "message_key": "m1@customer.example",
    "loop_key": "k",
    "defects": ("no-date",),
    "html": "1" * 64,
}
READ_DOCUMENT: Final = [
    ("outcome", None),
    ("reason", None),
    ("records", []),
    ("_id", "m1"),
    ("inbox", "support"),
    ("raw", "0" * 64),
    ("size", 400),
    ("source_id", None),
    ("arrival", "a1"),
    ("received_at", AT),
    ("from", {"name": "Anna", "address": "anna@customer.example"}),
    ("subject", "Printer"),
    ("sender_key", "anna@customer.example"),
    ("reply_to", ["desk@customer.example"]),
    ("to", ["support@example.com"]),
    ("date", "2026-11-20T11:59:00Z"),
    ("kind", "message"),
    ("message_id", "<M1@customer.example>"),
    ("message_key", "m1@customer.example"),
    ("loop_key", "k"),
    ("defects", ["no-date"]),
    ("html", "1" * 64),
]


def test_a_mail_that_was_read_is_kept_as_it_always_was(store: EmbeddedDocuments) -> None:
    Mails(store).receive(StoredMail(**READ))
    assert list(only(store, "mails").items()) == READ_DOCUMENT
    assert Mails(store).get("m1") == StoredMail(**READ)


def test_a_mail_that_could_not_be_read_is_kept_without_what_it_says(store: EmbeddedDocuments) -> None:
    mail = StoredMail(id="m1", inbox="support", raw="0" * 64, size=9, arrival="a1", received_at=AT, subject="(unread)")
    Mails(store).receive(mail)
    unread = {"size": 9, "from": None, "subject": "(unread)"}
    golden = [(key, unread.get(key, value)) for key, value in READ_DOCUMENT[:12]]
    assert list(only(store, "mails").items()) == golden
    assert Mails(store).get("m1") == mail
    Mails(store).describe(replace(StoredMail(**READ), arrival="another", received_at=AT + timedelta(days=1)))
    assert dict(only(store, "mails")) == dict(READ_DOCUMENT)


def test_what_is_added_to_a_mail_later_is_kept_as_it_always_was(store: EmbeddedDocuments) -> None:
    mails, target = Mails(store), Target("update", "number", "it is named", record_id="r1")
    label, event = RecordLabel("r1", "incident", "INC1"), MailRejected("m1", "support", "number", "no")
    mails.receive(StoredMail(**READ))
    assert mails.claim("m1", [target]) == (target,)
    mails.finish("m1", "recorded", reason="done", records=[label], emitted=[event])
    document = dict(only(store, "mails"))
    none = {"related": None, "type": None, "missing": None}
    assert document["targets"] == [
        {"kind": "update", "step": "number", "why": "it is named", "record_id": "r1", **none}
    ]
    assert document["records"] == [{"id": "r1", "type": "incident", "number": "INC1"}]
    assert document["emitted"] == [{"type": "MailRejected", "body": codec.encode(event).decode()}]
    assert {key for key in document if key not in dict(READ_DOCUMENT)} == {"targets", "emitted"}
    mail = mails.get("m1")
    assert mail
    assert (mail.events, mail.records, mail.targets) == ((event,), (label,), (target,))


def test_a_released_mail_forgets_what_was_decided(store: EmbeddedDocuments) -> None:
    mails = Mails(store)
    mails.receive(StoredMail(**READ))
    mails.finish("m1", "rejected", reason="spam", rule="lottery", emitted=[])
    assert mails.release("m1", AT, "ann")
    assert list(only(store, "mails").items()) == [
        *READ_DOCUMENT,
        ("released", True),
        ("released_at", AT),
        ("released_by", "ann"),
    ]


def test_an_arrival_that_a_store_without_its_mail_holds_can_be_read(store: EmbeddedDocuments) -> None:
    store.insert("arrivals", {"_id": "a1", "inbox": "support", "at": AT, "state": "handed-in", "unknown": 1})
    assert list(Arrivals(store).on_intake(10)) == [Arrival("a1", "support", AT, "handed-in")]
