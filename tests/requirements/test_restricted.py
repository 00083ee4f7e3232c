"""Requirement TI-27: restricted files are nowhere on a record, also not inside mails that are attached."""

from __future__ import annotations

import quopri
import re
import struct
from base64 import b64decode, encodebytes
from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

import pytest

from services.operator.trial.dry_run import dry_run
from services.record_writer.decide.content import restricted
from shared.config.model import Settings
from shared.config.reading import load
from shared.contracts.mail import Attachment
from shared.store.documents import Document
from tests.builders import a_configuration, an_inbox
from tests.desk import Desk
from tests.harness.real import FOLDER
from tests.services.parser import test_smime as smime

SECRET = b"MZ-the-program"
JUDGE = restricted.judge_of(["*.exe", "application/x-msdownload"])


def part(name: str, content: bytes = SECRET, kind: str = "application/octet-stream") -> bytes:
    head = f'Content-Type: {kind}; name="{name}"\nContent-Disposition: attachment; filename="{name}"\n'
    return head.encode() + b"Content-Transfer-Encoding: base64\n\n" + encodebytes(content)


def mail(*parts: bytes, boundary: bytes = b"b", subject: bytes = b"tool") -> bytes:
    head = b"From: Anna <anna@customer.example>\nTo: support@example.com\nSubject: " + subject
    head += b'\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="' + boundary + b'"\n\n'
    body = b"".join(b"--" + boundary + b"\n" + each.rstrip(b"\n") + b"\n" for each in (TEXT, *parts))
    return head + body + b"--" + boundary + b"--\n"


TEXT = b"Content-Type: text/plain\n\nSee the file.\n"
ATTACHED = b"BEGIN:VCALENDAR\r\nATTACH;VALUE=BINARY;FILENAME=to\r\n ol.exe:" + SECRET + b"\r\nEND:VCALENDAR\r\n"
INNER = mail(part("a.exe"), part("kept.txt", b"kept"), boundary=b"inner", subject=b"inner")


def forwarded(inner: bytes, encoding: str = "7bit") -> bytes:
    body = encodebytes(inner) if encoding == "base64" else inner
    return f"Content-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n".encode() + body


def signed(entity: bytes) -> bytes:
    """A part that an opaque S/MIME signature wraps around another one."""
    return part("smime.p7m", smime.signed(entity), "application/pkcs7-mime; smime-type=signed-data")


def reduced(raw: bytes) -> restricted.Reduced | None:
    return restricted.reduce_file(Attachment("original.eml", "message/rfc822", len(raw), "0"), raw, JUDGE)


@pytest.mark.req("TI-27")
@pytest.mark.parametrize(
    "raw",
    [
        mail(part("Virus.EXE")),
        mail(part("'v.exe'")),
        mail(part("x.bin", kind="application/x-msdownload")),
        mail(part("=?utf-8?q?v=2Eexe?=")),
        mail(part("v.txt").replace(b'filename="v.txt"', b"filename*=utf-8''v%2Eexe")),
        mail(part("v.txt").replace(b'filename="v.txt"', b'filename*0="v.e"; filename*1="xe"')),
        mail(forwarded(INNER)),
        mail(forwarded(INNER, "base64")),
        mail(forwarded(mail(forwarded(INNER, "base64"), boundary=b"middle"), "base64")),
        mail(part("inner.eml", INNER)),
        mail(part("a.msg", b"\xd0\xcf" + "tool.exe".encode("utf-16le") + b"\0\0" + SECRET)),
        mail(part("winmail.dat", b"\x78\x9f\x3e\x22\x01\x02tool.exe\0" + SECRET, "application/ms-tnef")),
        mail(part("a.ics", ATTACHED, "text/calendar")),
        mail(part("a.mbox", b"From a@b.example\n" + mail(part("v.exe")), "application/mbox")),
        mail(signed(part("v.exe"))),
        signed(signed(mail(part("v.exe")))),
        mail(forwarded(signed(mail(part("x.bin", kind="application/x-msdownload"))))),
        part("v.exe"),
        mail(part("a.exe")).replace(b"\n", b"\r\n"),
        mail(part("a.exe")).rpartition(b"--b--")[0],
        mail(TEXT.replace(b"See the file.", b"begin 644 a.exe\n" + SECRET + b"\nend\nAfter it.")),
        mail(TEXT.replace(b"See the file.", b"=ybegin line=128 size=9 name=a.exe\n" + SECRET + b"\n=yend size=9")),
        b"Content-Type: multipart/mixed\n\n--b\n" + part("a.exe"),
    ],
)
def test_a_restricted_file_is_taken_out_of_a_mail_at_any_depth(raw: bytes) -> None:
    found = reduced(raw)
    assert found is not None
    assert found.names
    assert b"Left out, because its type is restricted" in b"".join(opened(found.content))
    assert all(SECRET not in each for each in opened(found.content))


def opened(content: bytes) -> Iterator[bytes]:
    """A mail, and what is encoded in it."""

    yield content
    for block in re.findall(rb"(?:[A-Za-z0-9+/=]{4,76}\n)+", content.replace(b"\r\n", b"\n")):
        try:
            decoded = b64decode(block)
        except ValueError:
            continue
        yield from opened(decoded)


@pytest.mark.req("TI-27")
@pytest.mark.parametrize(
    "raw",
    [
        mail(),
        mail(part("a.txt")),
        mail(signed(part("a.txt"))),
        mail(forwarded(mail(part("a.txt"), boundary=b"i"), "base64")),
    ],
)
def test_a_mail_without_restricted_files_is_attached_as_it_is(raw: bytes) -> None:
    assert reduced(raw) is None


@pytest.mark.req("TI-27")
def test_the_other_parts_stay_byte_by_byte() -> None:
    found = reduced(mail(part("a.exe"), part("kept.txt", b"kept")))
    assert found is not None
    assert (found.names, found.content.count(b"--b\n")) == (("a.exe",), 3)
    assert found.content.startswith(mail().partition(b"--b--")[0])
    assert found.content.endswith(part("kept.txt", b"kept") + b"--b--\n")


def in_winmail(*names: str, text: bytes = b"run.exe is in it") -> bytes:
    """A winmail.dat with these files, each with the same content."""
    data = b"\x78\x9f\x3e\x22\1\0" + attribute(1, 0x9007, b"\xe4\4\0\0\0\0\0\0") + attribute(1, 0x800C, text)
    return data + b"".join(winmail_file(name) for name in names)


def winmail_file(name: str, content: bytes = SECRET) -> bytes:
    long_name = struct.pack("<IHHII", 1, 0x1F, 0x3707, 1, 2 * len(name) + 2) + name.encode("utf-16-le") + b"\0\0"
    title = name[:4].encode() + b"~1.DAT\0"
    parts = ((0x9002, b"\1\0" + b"\xff" * 12), (0x8010, title), (0x800F, content), (0x9005, long_name))
    return b"".join(attribute(2, number, value) for number, value in parts)


def attribute(level: int, number: int, value: bytes) -> bytes:
    return struct.pack("<BHHI", level, number, 6, len(value)) + value + b"\0\0"


@pytest.mark.req("TI-27")
@pytest.mark.parametrize("end", [b"", b"\1\2\3"])
def test_only_the_restricted_files_are_taken_out_of_a_winmail(end: bytes) -> None:
    whole = in_winmail("tool.exe", "kept-1.txt", "setup.exe", "kept-2.txt") + end
    found = restricted.reduce_file(Attachment("winmail.dat", "application/ms-tnef", 9, "0"), whole, JUDGE)
    assert found is not None
    assert (found.names, found.content) == (("tool.exe", "setup.exe"), in_winmail("kept-1.txt", "kept-2.txt") + end)


@pytest.mark.req("TI-27")
@pytest.mark.parametrize(("name", "left"), [("list.txt", True), ("note.eml", False), ("inner.msg", False)])
def test_names_in_the_content_count_where_a_file_of_a_winmail_holds_files(name: str, left: bool) -> None:
    whole = in_winmail() + winmail_file(name, b"Content-Disposition: attachment\n\ntool.exe\n")
    found = restricted.reduce_file(Attachment("winmail.dat", "application/ms-tnef", 9, "0"), whole, JUDGE)
    assert (found is None) is left
    assert left or (found and found.content == in_winmail())


@pytest.mark.req("TI-27", "NE-10")
@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_the_original_keeps_the_other_files_of_a_winmail(desk: Desk, encoding: str) -> None:
    configured(desk, keep_full_message=True)
    whole = in_winmail("tool.exe", "setup.exe", "kept.txt")
    raw = mail(part("winmail.dat", whole, "application/ms-tnef"))
    if encoding == "quoted-printable":
        raw = raw.replace(
            b"base64\n\n" + encodebytes(whole), b"quoted-printable\n\n" + quopri.encodestring(whole) + b"\n"
        )
    desk.receive(raw)
    kept, original = files(desk, desk.record())
    (winmail,) = [
        each for each in message_from_bytes(original).walk() if each.get_content_type() == "application/ms-tnef"
    ]
    payload = winmail.get_payload(decode=True)
    assert (kept, payload) == (SECRET, in_winmail("kept.txt"))
    (note,) = [each["text"] for each in desk.activities(desk.record()) if each["kind"] == "note"]
    assert note.endswith("is restricted: tool.exe, setup.exe")


@pytest.mark.req("TI-27", "NE-10")
def test_an_original_that_is_left_out_whole_says_why(desk: Desk) -> None:
    configured(desk, keep_full_message=True)
    broken = in_winmail("tool.exe", "setup.exe") + b"\x09" * 20
    desk.receive(mail(part("winmail.dat", broken, "application/ms-tnef")))
    (original,) = files(desk, desk.record())
    assert original.startswith(b"Left out, because its type is restricted, or something in it: original.eml")
    (note,) = [each["text"] for each in desk.activities(desk.record()) if each["kind"] == "note"]
    assert "original.eml (what is restricted in it could not be taken out alone)" in note


def files(desk: Desk, record: Document) -> list[bytes]:
    attached = [each for activity in desk.activities(record) for each in activity["attachments"]]
    return [desk.store.get_blob(each["sha256"]) for each in attached]


def configured(desk: Desk, **settings: Any) -> None:
    desk.configure(a_configuration(an_inbox(), settings=Settings(restricted_attachments=("*.exe",), **settings)))


@pytest.mark.req("TI-27", "NE-10")
@pytest.mark.parametrize(
    "raw", [mail(part("a.exe")), mail(forwarded(INNER)), mail(part("note.eml", INNER)), mail(signed(INNER))]
)
def test_the_full_message_and_attached_mails_come_without_it_and_say_so(desk: Desk, raw: bytes) -> None:
    configured(desk, keep_full_message=True)
    (stored,) = desk.receive(raw)
    assert files(desk, desk.record())
    assert all(SECRET not in each for file in files(desk, desk.record()) for each in opened(file))
    assert any("is restricted: a.exe" in each["text"] for each in desk.activities(desk.record()))
    assert desk.store.get_blob(stored["raw"]) == raw


@pytest.mark.req("TI-27", "NE-10")
@pytest.mark.parametrize("text", [b"See it.", b"begin 644 a.exe\n" + SECRET + b"\nend\n"], ids=["plain", "uuencoded"])
def test_a_multipart_whose_boundary_does_not_occur_is_attached(desk: Desk, text: bytes) -> None:
    configured(desk, keep_full_message=True)
    broken = b"Subject: x\nContent-Type: multipart/mixed; boundary=other\n\n--b\n" + text
    (stored,) = desk.receive(mail(part("note.eml", broken)))
    assert stored["outcome"] == "recorded"
    assert all(SECRET not in each for file in files(desk, desk.record()) for each in opened(file))


@pytest.mark.req("TI-27", "IV-37")
@pytest.mark.parametrize("name", ["a.exe", "winmail.dat"])
def test_the_original_of_an_incident_on_error_comes_without_it(desk: Desk, name: str) -> None:
    inbox = an_inbox(processor="change", field_mapping={"Priority": "@Subject"})
    desk.configure(a_configuration(inbox, settings=Settings(restricted_attachments=("*.exe",))))
    broken = in_winmail("a.exe", "b.exe") + b"\x09" * 20
    raw = mail(part(name, SECRET if name == "a.exe" else broken))
    foreseen = [change.activities[0].attachments for change in dry_run(desk.app, raw).changes]
    (stored,) = desk.receive(raw)
    (file,) = files(desk, desk.record("incident"))
    assert (stored["outcome"], SECRET in b"".join(opened(file))) == ("dead", False)
    error, note = desk.activities(desk.record("incident"))
    assert f"is restricted: {name}" in note["text"]
    assert [each[0].sha256 for each in foreseen] == [error["attachments"][0]["sha256"]]


@pytest.mark.req("TI-27")
def test_the_mail_of_others_is_attached_without_its_program(desk: Desk) -> None:
    folder = FOLDER / "desk-faults" / "07"
    if not folder.is_dir():
        pytest.skip("there are no mails of others here")
    desk.configure(load(folder / "desk.yaml"))
    desk.receive((folder / "1.eml").read_bytes())
    (original,) = files(desk, desk.record())
    assert b"Left out, because its type is restricted, or something in it: Virus.EXE" in original
