"""Each row's golden document: what the store keeps of it stays the same, so that existing stores can be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.embedded.documents import EmbeddedDocuments
from shared.store.arrivals import Arrival, Arrivals
from shared.store.documents import Document
from shared.store.journal import Journal, JournalEntry

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


def test_an_arrival_that_a_store_without_its_mail_holds_can_be_read(store: EmbeddedDocuments) -> None:
    store.insert("arrivals", {"_id": "a1", "inbox": "support", "at": AT, "state": "handed-in", "unknown": 1})
    assert list(Arrivals(store).on_intake(10)) == [Arrival("a1", "support", AT, "handed-in")]
