"""Edited copies: the original untouched, the difference kept, nothing smuggled in through a field."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from services.operator.errors import NotAvailable
from services.operator.mail.edited_copies import MAX_SOURCE, MAX_VALUE, Edit, edit_form, edited, retry_copy
from shared.store.mail_copies import MailCopies
from tests.builders import a_mail
from tests.desk import Desk

RAW = a_mail("The printer is on fire.\n", subject="Out of office", Authentication_Results="mx.example; dmarc=pass")


def an_edit(source: str | None = None, **headers: str) -> Edit:
    """Changed headers, `_` for `-`."""
    return Edit({name.replace("_", "-"): value for name, value in headers.items()}, source, "token")


def fields(raw: bytes) -> list[tuple[str, str]]:
    """The headers of a mail as the standard library reads them."""
    return [(name, str(value)) for name, value in message_from_bytes(raw, policy=policy.compat32).items()]


@pytest.mark.req("PR-01")
def test_a_copy_is_a_new_mail_and_the_original_stays(desk: Desk) -> None:
    (first,) = desk.receive(RAW)
    origin = desk.app.mails.get(first["_id"])
    assert origin is not None
    id_ = retry_copy(desk.app, origin, an_edit(Subject="Printer"), by="kim", reason="no absence notice")
    assert retry_copy(desk.app, origin, an_edit(Subject="Printer"), by="kim") == id_
    desk.work()
    copy = desk.app.mails.get(id_)
    assert copy is not None
    assert (copy.outcome, copy.subject, copy.source_id) == ("recorded", "Printer", copy.source_id)
    assert len(desk.records()) == 1
    assert desk.app.mails.get(origin.id) == origin
    assert desk.app.mails.source(origin) == RAW
    kept = MailCopies(desk.app.documents).get(id_)
    assert kept is not None
    assert (kept.origin, kept.by, kept.reason) == (origin.id, "kim", "no absence notice")
    assert "-Subject: Out of office\n+Subject: Printer" in kept.difference
    assert [each.id for each in MailCopies(desk.app.documents).of(origin.id, 5)] == [id_]
    assert [each.decision for each in desk.app.journal.of_mail(origin.id)][-1] == "copied"


@pytest.mark.parametrize(
    "value",
    [
        "Hello\r\nBcc: eve@evil.example",
        "Hello\nBcc: eve@evil.example",
        "Hello\rBcc: eve@evil.example",
        "Hello\u2028Bcc: eve@evil.example",
        "Hello\x0b\x0c\x1c\x85Bcc: eve@evil.example",
        "Hello\r\n\r\nnew body",
        "Hällo\r\nBcc: eve@evil.example",
        "=?utf-8?Q?a=0D=0ABcc:_eve@evil.example?=",
        "\r\nX: y",
        "ä" * MAX_VALUE,
        "x " * (MAX_VALUE // 2),
    ],
)
@pytest.mark.parametrize("name", ["Subject", "From", "Reply_To"])
def test_a_value_begins_no_other_header(value: str, name: str) -> None:
    try:
        copy = edited(RAW, an_edit(**{name: value}))
    except NotAvailable:
        return
    names = [each for each, _ in fields(copy)]
    expected = [each for each, _ in fields(RAW) if each != "Authentication-Results"]
    assert [each for each in names if each != "Reply-To"] == expected
    assert copy.partition(b"\n\n")[2] or copy.partition(b"\r\n\r\n")[2]
    assert b"printer is on fire" in copy


def test_a_value_that_is_too_long_is_refused() -> None:
    with pytest.raises(NotAvailable, match="Subject has 2,001 characters; at most 2,000 are taken"):
        edited(RAW, an_edit(Subject="x" * (MAX_VALUE + 1)))
    with pytest.raises(NotAvailable, match="the source is too long"):
        edited(RAW, an_edit(source="x" * (2 * MAX_SOURCE + 1)))


def test_what_another_server_said_of_the_original_does_not_hold_for_the_copy() -> None:
    assert "Authentication-Results" in dict(fields(RAW))
    assert "Authentication-Results" not in dict(fields(edited(RAW, an_edit(From="tom@example.com"))))


def test_the_source_is_edited_with_its_own_line_ends() -> None:
    raw = RAW.replace(b"\n", b"\r\n")
    source = raw.decode().replace("\r\n", "\n").replace("on fire", "broken")
    copy = edited(raw, an_edit(source=source, Subject="Printer"))
    assert b"The printer is broken.\r\n" in copy
    assert b"\n" not in copy.replace(b"\r\n", b"")
    assert dict(fields(copy))["Subject"] == "Printer"


def test_a_cr_without_lf_stays_where_it_is() -> None:
    raw = b"X-Odd: a\rb\r\nSubject: old\r\nX-Last: c\r\r\n\r\nbody\rend"
    assert edited(raw, an_edit(Subject="new")) == raw.replace(b"old", b"new")


def test_a_source_that_a_browser_would_change_is_not_offered(desk: Desk) -> None:
    (found,) = desk.receive(b"Subject: x\r\nX-Odd: a\rb\r\n\r\nbody\r\n")
    mail = desk.app.mails.get(found["_id"])
    assert mail is not None
    form = edit_form(desk.app, mail)
    assert (form.source, "CR without LF" in form.why_not) == (None, True)


def test_a_form_shows_a_hostile_mail_as_text_and_changes_nothing_by_itself(desk: Desk) -> None:
    hostile = b"Subject: =?utf-8?B?PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg0KQmNjOiB4?=\nFrom: a@b.example\n\nx\xff"
    (found,) = desk.receive(hostile)
    mail = desk.app.mails.get(found["_id"])
    assert mail is not None
    form = edit_form(desk.app, mail)
    assert form.headers["Subject"] == "<script>alert(1)</script> Bcc: x"
    assert form.source is None
    assert "not UTF-8" in form.why_not
    with pytest.raises(NotAvailable, match="nothing was changed"):
        retry_copy(desk.app, mail, Edit(form.headers, None, "t"), by="kim")


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"x", b"Subject: a", b"\r\n\r\nbody", b"Subject: a\n b\n\n", b" a\nFrom: b\n\n"]
)
def test_any_mail_can_be_copied(raw: bytes) -> None:
    copy = edited(raw, an_edit(Subject="Printer"))
    assert [value for name, value in fields(copy) if name == "Subject"] == ["Printer"]
