"""A mail is found from the moment that `publish` returned, on the embedded default and on RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.operator.errors import NotAvailable
from services.operator.mail import mails
from services.operator.mail.mails import (
    MailOnIntake,
    find_mail,
    find_stored,
    mail_as_json,
    recent_mails,
    search,
    view_mail,
)
from services.operator.mail.publishing import Origin, made_ready, publish
from services.operator.paging import Page
from shared.contracts.mail import Address
from shared.intake import RawMail, head_of
from shared.store.mails import MailQuery, Mails, StoredMail
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk

PAGE = Page(10, 0)
RAW = a_mail(subject="Grüße vom Drucker", Message_ID="<first@customer.example>")


def subjects(desk: Desk, query: MailQuery | None = None, page: Page = PAGE) -> list[str]:
    return [mail.subject for mail in recent_mails(desk.app, query or MailQuery(), page)]


@pytest.mark.req("PR-21")
@pytest.mark.parametrize("named", ["id", "beginning", "<first@customer.example>", "grüße vom drucker"])
def test_a_mail_on_intake_is_found(any_desk: Desk, named: str) -> None:
    any_desk.configure(a_configuration(an_inbox()))
    (receipt,) = publish(any_desk.app, [made_ready("one.eml", RAW, Origin())])
    names = {"id": receipt.mail_id, "beginning": receipt.mail_id[:12].upper()}
    found = find_mail(any_desk.app, names.get(named, named))
    assert isinstance(found, MailOnIntake)
    shown = mail_as_json(found)
    assert (shown["mail_id"], shown["inbox"], shown["sha256"]) == (receipt.mail_id, "support", receipt.sha256)
    assert (shown["outcome"], shown["waits_on"]) == (None, "intake")
    assert shown["from"] == {"name": "Anna Becker", "address": "anna@customer.example"}
    assert "waits on intake" in (view_mail(any_desk.app, found).next_step or "")
    any_desk.work()
    later = find_mail(any_desk.app, names.get(named, named))
    assert (later.id, later.outcome, mail_as_json(later)["waits_on"]) == (receipt.mail_id, "recorded", None)


def test_lists_show_mails_on_intake_among_the_others(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(), an_inbox("sales", address="sales@example.com")))
    desk.receive(a_mail(subject="one"))
    two = a_mail(subject="two")
    desk.hand_in(two, two, inbox="sales")
    desk.app.intake.hand_over([RawMail(desk.app.mails.source(next(desk.app.mails.recent(MailQuery(), 1))))])
    assert subjects(desk) == ["two", "one"]
    assert [subjects(desk, page=Page(1, skip))[:1] for skip in range(3)] == [["two"], ["one"], []]
    assert subjects(desk, MailQuery(inbox="support")) == ["one"]
    assert subjects(desk, MailQuery(outcome="in-flight")) == ["two"]
    assert subjects(desk, MailQuery(outcome="recorded")) == ["one"]
    assert subjects(desk, MailQuery(since=desk.clock.at)) == []
    assert [mail.subject for mail in search(desk.app, MailQuery(), "TWO")] == ["two"]


def test_a_mail_is_found_by_the_id_of_the_message_that_brought_it(desk: Desk) -> None:
    """That is the id which the examples print: integrators give it to their own messages."""
    desk.configure(a_configuration(an_inbox()))
    (mail,) = desk.receive(RAW)
    assert find_mail(desk.app, mail["arrival"]).id == mail["_id"]


def test_of_two_mails_with_one_subject_the_ids_are_shown(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox()))
    desk.receive(a_mail("one", subject="Printer"))
    desk.hand_in(a_mail("two", subject="Printer"))
    with pytest.raises(
        NotAvailable, match=r"'Printer' is that of 2 mails; name one by its id: [0-9a-f]{32}, [0-9a-f]{32}"
    ):
        find_mail(desk.app, "Printer")


@pytest.mark.req("PR-21")
def test_a_subject_is_looked_for_in_the_newest_mails_only(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk with very many mails answers soon, and says what it has not looked at."""
    desk.configure(a_configuration(an_inbox()))
    desk.receive(*(a_mail(subject=subject) for subject in ("old", "old and new", "new", "old and new")))
    read = list[str]()
    monkeypatch.setattr(mails, "MAX_SEARCHED", 2)
    monkeypatch.setattr(Mails, "recent", lambda self, query, limit: _noting(read, RECENT(self, query, limit)))
    with pytest.raises(
        NotAvailable, match="no mail 'old' among the newest 2; postroom mails list --search looks through"
    ):
        find_mail(desk.app, "old")
    with pytest.raises(NotAvailable, match=r"older ones may have it too; name the mail by its id: [0-9a-f]{32}"):
        find_mail(desk.app, "old and new")
    notes = list[str]()
    assert find_mail(desk.app, "New", notes.append).subject == "new"
    assert ("older ones may have it too" in notes[0], len(notes), len(read)) == (True, 1, 9)
    monkeypatch.setattr(mails, "MAX_SEARCHED", 4)
    with pytest.raises(NotAvailable, match="'old and new' is that of 2 mails; "):
        find_mail(desk.app, "old and new")
    assert find_mail(desk.app, "old").subject == "old"


RECENT = Mails.recent


def _noting(read: list[str], found: Iterator[StoredMail]) -> Iterator[StoredMail]:
    for each in found:
        read.append(each.subject)
        yield each


def test_of_very_many_mails_with_one_subject_some_are_named(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox()))
    desk.receive(*(a_mail(str(number), subject="Printer") for number in range(7)))
    with pytest.raises(NotAvailable, match=r"'Printer' is that of 5 mails or more; .*: ([0-9a-f]{32}(, |$)){5}"):
        find_mail(desk.app, "Printer")


def test_what_needs_the_stored_mail_says_that_it_waits_on_intake(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox()))
    desk.hand_in(RAW)
    with pytest.raises(NotAvailable, match="waits on intake"):
        find_stored(desk.app, "<first@customer.example>")


@pytest.mark.parametrize(
    ("raw", "sender", "subject", "message_id"),
    [
        (b"", None, "", None),
        (b"From: a@b.example\nSUBJECT: x\r\n y\nMessage-Id:\n <m@b>\n\nSubject: body\n", "a@b.example", "x y", "<m@b>"),
        (b"Subject: first\nSubject: second\n\n", None, "first", None),
        (b"Subject: =?utf-8?B?R3LDvMOfZQ==?=\n\n", None, "Grüße", None),
        (b"Subject: =?nonsense?B?R3LDvMOfZQ==?=\n\n", None, "=?nonsense?B?R3LDvMOfZQ==?=", None),
        (b"Subject: \xff\n\n", None, "\ufffd", None),
        (b"\n\nSubject: body\n", None, "", None),
        (b"From: " + b"(" * 900 + b" a@b.example\n\n", "a@b.example", "", None),
    ],
    ids=["empty", "folded", "first-counts", "encoded", "unknown-charset", "bytes", "no-header", "comments"],
)
def test_the_head_of_a_mail_is_read_without_judging_it(
    raw: bytes, sender: str | None, subject: str, message_id: str | None
) -> None:
    head = head_of(raw, "its hash")
    assert head.from_ == (Address("", sender) if sender else None)
    assert (head.subject, head.message_id, head.size) == (subject, message_id, len(raw))


def test_a_mail_is_taken_in_when_the_configuration_cannot_be_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.hand_in(b"Subject: x\n\n")
    monkeypatch.setattr(desk.app.directory, "current", lambda: find_stored(desk.app, "none at all"))
    assert desk.app.intake.hand_over([RawMail(b"Subject: y\n\n")])
    assert desk.app.arrivals.count() == 2


def test_lists_of_waiting_mails_read_no_more_than_a_page(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox()))
    desk.hand_in(*(a_mail(subject=str(number)) for number in range(20)))
    assert subjects(desk, page=Page(3, 2)) == ["17", "16", "15", "14"]
