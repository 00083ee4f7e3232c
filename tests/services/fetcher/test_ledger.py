"""The ledger, what it makes of keys, and the small decisions beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.fetcher import mailbox
from services.fetcher.automatic import is_automatic
from services.fetcher.imap_folders import candidates, same
from services.fetcher.ledger import MAX_WAIT, Ledger
from services.fetcher.mailbox import Key, folder_of, mailbox_class, place
from shared.clock import FixedClock
from shared.contracts.errors import Misconfigured
from shared.embedded.documents import EmbeddedDocuments
from tests.services.fetcher.conftest import an_inbox

KEY = Key("imap:host:bob:INBOX:7", "1")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 1, 1, tzinfo=UTC))


def a_ledger(documents: EmbeddedDocuments, clock: FixedClock, after: str = "archive", bound: int = 1000) -> Ledger:
    return Ledger(documents, an_inbox(1, after=after), clock, bound)


def test_new_mail_is_not_known(documents: EmbeddedDocuments, clock: FixedClock) -> None:
    assert a_ledger(documents, clock).known([KEY]) == {}


@pytest.mark.parametrize(
    ("taken_to", "now", "state"),
    [
        ("archive", "archive", "to_archive"),
        ("archive", "delete", "to_archive"),
        ("archive", "mark_read", "to_archive"),
        ("mark_read", "mark_read", "to_archive"),
        ("mark_read", "delete", "done"),
        ("mark_read", "archive", "done"),
    ],
)
def test_taken_mail_is_to_be_archived_unless_it_was_left_on_purpose(
    documents: EmbeddedDocuments, clock: FixedClock, taken_to: str, now: str, state: str
) -> None:
    a_ledger(documents, clock, taken_to).taken([KEY])
    assert a_ledger(documents, clock, now).known([KEY]) == {KEY: state}


def test_waits_between_attempts_grow_to_an_hour_and_no_clock_makes_them_longer(
    documents: EmbeddedDocuments, clock: FixedClock
) -> None:
    ledger = a_ledger(documents, clock)
    for _ in range(3):
        assert ledger.known([KEY]).get(KEY) in (None, "again")
        ledger.failed(KEY, "garbled")
    assert ledger.known([KEY]) == {KEY: "later"}
    clock.advance(timedelta(minutes=1))
    assert ledger.known([KEY]) == {KEY: "again"}
    for _ in range(20):
        ledger.failed(KEY, "garbled")
    clock.advance(MAX_WAIT - timedelta(seconds=1))
    assert ledger.known([KEY]) == {KEY: "later"}
    clock.advance(timedelta(days=-30))
    assert ledger.known([KEY]) == {KEY: "again"}


def test_success_after_failure_replaces_the_entry(documents: EmbeddedDocuments, clock: FixedClock) -> None:
    ledger = a_ledger(documents, clock)
    ledger.failed(KEY, "garbled")
    ledger.taken([KEY])
    assert ledger.holds([KEY]) == [KEY]


@pytest.mark.parametrize(("size", "state"), [(2000, None), (None, "done"), (9000, "done")])
def test_mail_that_was_too_large_comes_back_when_the_bound_is_raised(
    documents: EmbeddedDocuments, clock: FixedClock, size: int | None, state: str | None
) -> None:
    a_ledger(documents, clock).left(KEY, size, "too large")
    assert a_ledger(documents, clock, bound=5000).known([KEY]).get(KEY) == state


def test_no_two_places_share_a_name() -> None:
    assert place("imap", "a:b", "c") != place("imap", "a", "b:c")
    assert folder_of(an_inbox(1, host="IMAP.Example.com")) == "imap:imap.example.com:bob:INBOX"


@pytest.mark.parametrize("protocol", ["mapi", "nntp"])
def test_protocol_that_is_not_carried_is_refused_by_name(protocol: str) -> None:
    with pytest.raises(Misconfigured, match=protocol):
        mailbox_class(protocol)
    assert protocol not in mailbox.PROTOCOLS


@pytest.mark.parametrize(
    ("name", "prefix", "delimiter", "expected"),
    [
        ("Archive", "", "/", ["Archive"]),
        ("Archive/2026", "", ".", ["Archive.2026", "Archive/2026"]),
        ("Archive", "INBOX.", ".", ["INBOX.Archive", "Archive"]),
        ("INBOX.Archive", "INBOX.", ".", ["INBOX.Archive"]),
        ("Archive/2026", "INBOX/", "/", ["INBOX/Archive/2026", "Archive/2026"]),
        ("Flat", "", "", ["Flat"]),
    ],
)
def test_names_that_a_folder_can_have(name: str, prefix: str, delimiter: str, expected: list[str]) -> None:
    assert candidates(name, prefix, delimiter) == expected


def test_inbox_alone_is_the_same_whatever_its_case() -> None:
    assert (same("inbox", "INBOX"), same("archive", "Archive")) == (True, False)


@pytest.mark.req("TI-12")
@pytest.mark.parametrize(
    ("head", "automatic"),
    [
        (b"Subject: hello\r\n\r\nAuto-Submitted is what I ask about", False),
        (b"Auto-Submitted: no\r\n\r\n", False),
        (b"auto-submitted: Auto-Replied\r\n\r\n", True),
        (b"Subject: x\nAuto-Submitted: auto-generated (rejected)\n\n", True),
        (b"Content-Type: multipart/report;\r\n report-type=delivery-status\r\n\r\n", True),
        (b"Content-Type:\r\n multipart/report; boundary=x\r\n\r\n", True),
        (
            b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/calendar",
            True,
        ),
        (b"Return-Path: <>\r\nFrom: a@b.c\r\n\r\n", True),
        (b"Return-Path: <a@b.c>\r\nFrom: a@b.c\r\n\r\n", False),
        (b"", False),
    ],
)
def test_what_does_not_count_towards_the_number_per_poll(head: bytes, automatic: bool) -> None:
    assert is_automatic(head) is automatic
