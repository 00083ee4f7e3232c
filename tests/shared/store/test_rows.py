"""Each row's golden document: what the store keeps of it stays the same, so that existing stores can be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from shared.contracts import codec
from shared.contracts.change import Notification, Target
from shared.contracts.events import MailRejected
from shared.contracts.mail import Address
from shared.embedded.documents import EmbeddedDocuments
from shared.runtime.broker import Message
from shared.store.arrivals import Arrival, Arrivals, MailHead
from shared.store.dead_letters import DeadLetters
from shared.store.documents import Document
from shared.store.journal import Journal, JournalEntry
from shared.store.leases import StoredLease, StoredLeases
from shared.store.ledger import LedgerEntries, LedgerEntry
from shared.store.mails import Mails, RecordLabel, StoredMail
from shared.store.outbox import Outbox, OutboxMail, QueuedFor, SendingSide

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


SEEN: Final = [("_id", "f:7:1"), ("place", "f:7"), ("inbox", "support")]


@pytest.mark.parametrize(
    ("entry", "golden"),
    [
        (
            LedgerEntry("f:7:1", "f:7", "support", "taken", AT, after="archive"),
            [("state", "taken"), ("at", AT), ("after", "archive")],
        ),
        (
            LedgerEntry("f:7:1", "f:7", "support", "failed", AT, reason="garbled", attempts=2, next_at=AT),
            [("state", "failed"), ("at", AT), ("reason", "garbled"), ("attempts", 2), ("next_at", AT)],
        ),
        (
            LedgerEntry("f:7:1", "f:7", "support", "left", AT, reason="too large", attempts=1),
            [("state", "left"), ("at", AT), ("size", None), ("reason", "too large"), ("attempts", 1)],
        ),
    ],
    ids=["taken", "failed", "left"],
)
def test_an_entry_of_the_ledger_is_kept_as_it_always_was(
    store: EmbeddedDocuments, entry: LedgerEntry, golden: list[tuple[str, Any]]
) -> None:
    entries = LedgerEntries(store)
    entries.put_all([entry])
    assert list(only(store, "ledger").items()) == [*SEEN, *golden]
    assert list(entries.with_ids(["f:7:1", "f:7:2"])) == [entry]
    assert entries.not_taken("support") == ([] if entry.state == "taken" else [entry])


def test_a_lease_is_kept_as_it_always_was(store: EmbeddedDocuments) -> None:
    lease = StoredLease("folder", "t", 0, "here/1/2")
    assert StoredLeases(store).insert(lease)
    golden = [("_id", "folder"), ("token", "t"), ("beat", 0), ("owner", "here/1/2")]
    assert list(only(store, "fetch_leases").items()) == golden
    assert StoredLeases(store).get("folder") == lease


def test_an_arrival_is_kept_as_it_always_was(store: EmbeddedDocuments) -> None:
    Arrivals(store).handed_in([Arrival("a1", "support", AT, "handed-in")])
    golden = [("_id", "a1"), ("inbox", "support"), ("at", AT), ("state", "handed-in"), ("mail_id", None)]
    assert list(only(store, "arrivals").items()) == golden
    Arrivals(store).taken("a1", "", AT, "m1", duplicate=False)
    assert Arrivals(store).get("a1") == Arrival("a1", "support", AT, "taken", "m1")


def test_an_arrival_forgets_the_head_of_its_mail_when_the_mail_is_taken(store: EmbeddedDocuments) -> None:
    head = MailHead("0" * 64, 4, None, "Printer", "<a@b>", "a@b")
    Arrivals(store).handed_in([Arrival("a1", "support", AT, "handed-in", "m1", head)])
    assert [each.head for each in Arrivals(store).with_message_key("a@b")] == [head]
    Arrivals(store).taken("a1", "", AT, "m1", duplicate=False)
    assert Arrivals(store).get("a1") == Arrival("a1", "support", AT, "taken", "m1")
    assert Arrivals(store).with_message_key("a@b") == Arrivals(store).beginning_with("m1") == []


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
    ("words", ["anna@customer.example", "anna", "customer", "example", "printer"]),
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
    golden.append(("words", ["unread"]))
    assert list(only(store, "mails").items()) == golden
    assert Mails(store).get("m1") == mail
    Mails(store).describe(replace(StoredMail(**READ), arrival="another", received_at=AT + timedelta(days=1)))
    assert dict(only(store, "mails")) == dict(READ_DOCUMENT)


def test_what_is_added_to_a_mail_later_is_kept_as_it_always_was(store: EmbeddedDocuments) -> None:
    mails, target = Mails(store), Target("update", "number", "it is named", record_id="r1")
    label, event = RecordLabel("r1", "incident", "INC1"), MailRejected("m1", "support", "number", "no")
    mails.receive(StoredMail(**READ))
    assert mails.claim("m1", [target]) == (target,)
    mails.finish("m1", "recorded", reason="done", records=[label], events=[event])
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
    mails.finish("m1", "rejected", reason="spam", rule="lottery", events=[])
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


SENDING: Final = SendingSide("default", "support", "support@example.com", "example.com")
OUTGOING_DOCUMENT: Final = [
    ("to", ["anna@customer.example"]),
    ("to_key", "anna@customer.example"),
    ("subject", "Call updated"),
    ("text", "text"),
    ("kind", "updated"),
    ("in_reply_to", "<m1@customer.example>"),
    ("message_id", "<{id}@example.com>"),
    ("message_key", "{id}@example.com"),
    ("state", "waiting"),
    ("server", "default"),
    ("inbox", "support"),
    ("from", "support@example.com"),
    ("domain", "example.com"),
    ("at", AT),
    ("mail_id", "m1"),
    ("record_id", "r1"),
    ("record", "INC1"),
]


def queue(store: EmbeddedDocuments, sending: SendingSide) -> OutboxMail:
    """An answer to Anna, queued."""
    notice = Notification(("anna@customer.example",), "Call updated", "text", "updated", "<m1@customer.example>")
    id_ = Outbox(store).add_once("cause", 0, notice, sending, QueuedFor(AT, "m1", "r1", "INC1"))
    mail = Outbox(store).get(id_)
    assert mail
    return mail


def golden_outgoing(id_: str, **changed: object) -> dict[str, object]:
    filled = {key: value.format(id=id_) if isinstance(value, str) else value for key, value in OUTGOING_DOCUMENT}
    return {"_id": id_, **filled, **changed}


def test_an_outgoing_mail_is_kept_as_it_always_was(store: EmbeddedDocuments) -> None:
    mail = queue(store, SENDING)
    assert list(only(store, "outbox").items()) == list(golden_outgoing(mail.id).items())
    assert (mail.from_, mail.to, mail.tries) == ("support@example.com", ("anna@customer.example",), None)


def test_an_outgoing_mail_to_a_stranger_is_kept_with_what_limits_count(store: EmbeddedDocuments) -> None:
    queue(store, replace(SENDING, stranger_domain=""))
    document = only(store, "outbox")
    assert list(document)[13:17] == ["domain", "stranger_domain", "to_stranger", "at"]
    assert (document["stranger_domain"], document["to_stranger"]) == ("", True)


def test_what_becomes_of_an_outgoing_mail_is_kept_as_it_always_was(store: EmbeddedDocuments) -> None:
    mail, outbox = queue(store, SENDING), Outbox(store)
    assert outbox.claim(mail, AT)
    assert not outbox.claim(mail, AT)
    claimed = golden_outgoing(mail.id, state="sending", claimed_at=AT, tries=1)
    assert only(store, "outbox") == claimed
    outbox.put_back(mail, "the server is down", AT)
    failing = {"state": "waiting", "reason": "the server is down", "failing_since": AT, "tries": 0}
    assert only(store, "outbox") == {**claimed, **failing}
    outbox.end(mail.id, "failed", "no such user", AT)
    ended = {**claimed, **failing, "state": "failed", "reason": "no such user", "ended_at": AT}
    assert only(store, "outbox") == ended
    assert outbox.queue_again(mail.id, ("failed",), server="other", from_="desk@example.com")
    again = {"state": "waiting", "server": "other", "from": "desk@example.com", "failing_since": None}
    assert only(store, "outbox") == {**ended, **again}


def test_a_dead_letter_is_kept_as_it_always_was(store: EmbeddedDocuments) -> None:
    headers: dict[str, str | int] = {"queue": "filter", "stage": "filter", "reason": "it broke", "attempt": 2}
    failed = Message("e1", "dead-letter", b"{}", "MailParsed", correlation_id="m1", headers=headers)
    letters = DeadLetters(store)
    id_, new = letters.keep(failed, mail_id="m1", inbox="support", at=AT)
    assert new
    golden = {
        "_id": id_,
        "stage": "filter",
        "queue": "filter",
        "reason": "it broke",
        "mail_id": "m1",
        "inbox": "support",
        "incident": None,
        "at": AT,
        "state": "open",
        "message": {
            "id": "e1",
            "type": "MailParsed",
            "content_type": "application/json",
            "correlation_id": "m1",
            "headers": [["queue", "filter"], ["stage", "filter"], ["reason", "it broke"], ["attempt", 2]],
            "body": store.put_blob(b"{}"),
        },
    }
    assert list(only(store, "dead_letters").items()) == list(golden.items())
    assert list(only(store, "dead_letters")["message"]) == list(golden["message"])  # type: ignore[call-overload]
    letters.ask(id_)
    letters.close(id_, "discarded", at=AT, by="ann", why="")
    closed = {"asked": True, "state": "discarded", "moved_at": AT, "moved_by": "ann", "why": ""}
    assert only(store, "dead_letters") == {**golden, **closed}
    letter = letters.get(id_)
    assert letter
    assert (letter.awaits_incident, dict(letter.message.headers), letter.why) == (True, headers, "")
