"""Requirements IV-30, IV-32, IV-40: Export Email as XML, through the whole pipeline."""

from __future__ import annotations

import gzip
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from lxml import etree

from services.record_writer.decide.export import document
from services.record_writer.decide.facts import facts_of
from shared.config.model import Configuration, Connection, Export, SenderPolicy, Settings
from shared.contracts.events import Envelope, Sender, SenderMatched
from shared.contracts.mail import Attachment, ParsedMail
from tests.builders import a_configuration, a_mail, a_person, a_stored_mail, an_inbox
from tests.desk import NOW, Desk

XML = "{urn:postroom:mail:1}"
SCHEMA = Path(__file__).parents[2] / "docs/schema/mail.xsd"


def exported(desk: Desk, folder: Path, raw: bytes, *, compress: bool) -> etree._Element:
    inbox = an_inbox(
        processor="xml_export",
        export=Export("warehouse", compress),
        field_mapping={"Title": "@Subject", "Who": "@From"},
    )
    desk.configure(a_configuration(inbox, connections=(Connection("warehouse", path=str(folder)),)))
    (mail,) = desk.receive(raw)
    assert (mail["outcome"], desk.records()) == ("exported", [])
    (file,) = folder.glob("*.xml")
    assert file.name == f"{mail['_id']}.xml"
    assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    tree = etree.parse(str(file))
    etree.XMLSchema(etree.parse(str(SCHEMA))).assertValid(tree)
    return tree.getroot()


def text_of(element: etree._Element) -> str:
    packed = element.text or ""
    match element.get("encoding"):
        case None:
            return packed
        case "base64":
            return b64decode(packed).decode()
    return gzip.decompress(b64decode(packed)).decode()


@pytest.mark.req("IV-40", "IV-30")
@pytest.mark.parametrize("compress", [False, True])
def test_every_mail_becomes_well_formed_xml_with_its_unicode_intact(desk: Desk, tmp_path: Path, compress: bool) -> None:
    raw = a_mail("Grüße 你好 🔥 <b>&amp; ]]>\n", subject="Ünïcode <&>")
    root = exported(desk, tmp_path / "out", raw, compress=compress)
    assert text_of(root.find(f"{XML}Body")).strip() == "Grüße 你好 🔥 <b>&amp; ]]>"
    assert text_of(root.find(f"{XML}Subject")) == "Ünïcode <&>"


@pytest.mark.req("IV-40", "TI-27")
@pytest.mark.parametrize("form", ["content", "files", "names"])
def test_attachments_are_in_the_document_or_beside_it(desk: Desk, tmp_path: Path, form: Any) -> None:
    inbox = an_inbox(processor="xml_export", export=Export("warehouse", attachments=form))
    connections = (Connection("warehouse", path=str(tmp_path / "out")),)
    settings = Settings(restricted_attachments=("*.exe",))
    desk.configure(a_configuration(inbox, connections=connections, settings=settings))
    raw = b"From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n" + b"".join(
        b'--b\nContent-Type: application/x; name="' + name + b'"\n\n' + content + b"\n"
        for name, content in ((b"a.txt", b"one"), (b"../b.txt", b"two"), (b"c.exe", b"MZ"))
    )
    (mail,) = desk.receive(raw + b"--b--\n")
    tree = etree.parse(str(tmp_path / "out" / f"{mail['_id']}.xml"))
    etree.XMLSchema(etree.parse(str(SCHEMA))).assertValid(tree)
    names = [each.get("file") for each in tree.iter(f"{XML}Attachment")]
    contents = [b64decode(each.text) for each in tree.iter(f"{XML}Content")]
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.suffix != ".xml"}
    beside = {f"{mail['_id']}.1": b"one", f"{mail['_id']}.2": b"two"}
    assert names == (list(beside) if form == "files" else [None, None])
    assert contents == ([b"one", b"two"] if form == "content" else [])
    assert files == (beside if form == "files" else {})
    assert [each.text for each in tree.iter(f"{XML}Restricted")] == ["c.exe"]


@pytest.mark.req("IV-40")
def test_what_xml_cannot_hold_is_encoded_and_never_dropped(desk: Desk, tmp_path: Path) -> None:
    raw = b"From: a@b.example\r\nSubject:\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nring \xef\xbf\xbf ring\r\n"
    body = exported(desk, tmp_path / "out", raw, compress=False).find(f"{XML}Body")
    assert body.get("encoding") == "base64"
    assert "ring \uffff ring" in text_of(body)


def hostile(number: int) -> bytes:
    """A mail whose every part holds what XML may not."""
    bad = bytes(range(1 + number, 32, 7)).replace(b"\n", b"").replace(b"\r", b"") + b"\xff\xfe<&\"'>]]>"
    words = [b"=?utf-8?q?" + b"".join(b"=%02X" % byte for byte in bad) + b"?=", bad, b"=?utf-8?q?=EF=BF=BE=00?="]
    word = words[number % 3]
    return (
        b"From: " + word + b" <anna@customer.example>\nTo: " + word + b" <x@y.example>, " + bad + b"\nCc: " + bad
        + b"\nSubject: " + word + b"\nMessage-ID: <" + bad + b"@x>\nDate: " + bad
        + b"\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n" + bad
        + b"\n--b\nContent-Type: application/x" + bad + b'; name="' + bad + b'"\n'
        + b'Content-Disposition: attachment; filename="' + word + b'"\n\ndata\n--b--\n'
    )  # fmt: skip


@pytest.mark.req("IV-40")
@pytest.mark.parametrize("number", range(9))
def test_whatever_a_mail_holds_its_document_is_well_formed(desk: Desk, tmp_path: Path, number: int) -> None:
    root = exported(desk, tmp_path / "out", hostile(number), compress=number % 2 == 0)
    assert len(list(root.iter(f"{XML}Attachment"))) == 2  # the body is one too: its bytes are not text


@pytest.mark.req("IV-40")
@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1b", "\ufffe", "\ud800", "\x7f", '"<&>'], ids=ascii)
def test_a_type_that_a_mail_made_up_leaves_the_document_well_formed(character: str) -> None:
    """Types come from headers, and from the properties of winmail.dat, where any character may stand."""
    attached = Attachment("a.txt", f"text/{character}plain", 1, "0" * 64)
    mail = ParsedMail("0" * 64, 1, attachments=(attached,))
    inbox = an_inbox(processor="xml_export", field_mapping={f"Fi{character}eld": "x"})
    matched = SenderMatched(Envelope("m", "support", "2026-11-20T12:00:00.000Z"), mail, Sender(None))
    facts = facts_of(matched, a_stored_mail(), inbox, a_configuration(inbox), NOW)
    (found,) = etree.fromstring(document(facts, compress=False)).iter(f"{XML}Attachment")
    kept = character in {"\x7f", '"<&>'}
    assert found.get("type") == f"text/{character if kept else chr(0xFFFD)}plain"


@pytest.mark.req("IV-21", "IV-40")
def test_an_export_inbox_for_known_people_exports_no_mail_of_strangers(desk: Desk, tmp_path: Path) -> None:
    inbox = an_inbox(processor="xml_export", export=Export("files"), sender=SenderPolicy(policy="existing_only"))
    connection = Connection("files", path=str(tmp_path / "out"))
    desk.configure(a_configuration(inbox, a_person(), connections=(connection,)))
    stranger, known = desk.receive(a_mail(), a_mail(sender="jdoe@example.com"))
    assert (stranger["outcome"], known["outcome"]) == ("rejected", "exported")
    assert len(list((tmp_path / "out").iterdir())) == 1


@pytest.mark.req("IV-32")
def test_mapped_fields_appear_in_the_exported_document(desk: Desk, tmp_path: Path) -> None:
    root = exported(desk, tmp_path / "out", a_mail(subject="Order"), compress=False)
    fields = {field.get("name"): field.text for field in root.iter(f"{XML}Field")}
    assert fields == {"Title": "Order", "Who": "anna@customer.example"}


class Receiver(BaseHTTPRequestHandler):
    """A server that keeps what is posted, and answers as its class says."""

    answer = 200
    got: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.headers["Idempotency-Key"], body))
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@pytest.fixture
def receiver() -> Iterator[tuple[type[Receiver], str]]:
    handler = type("Handler", (Receiver,), {"got": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield handler, f"http://127.0.0.1:{server.server_port}/mails"
        server.shutdown()
        thread.join()


def posting(url: str) -> Configuration:
    inbox = an_inbox(processor="xml_export", export=Export("web"))
    return a_configuration(inbox, connections=(Connection("web", kind="http", url=url),))


@pytest.mark.req("IV-40")
def test_a_mail_is_posted_under_its_id(desk: Desk, receiver: tuple[type[Receiver], str]) -> None:
    desk.configure(posting(receiver[1]))
    (mail,) = desk.receive(a_mail())
    ((key, body),) = receiver[0].got
    assert (mail["outcome"], key) == ("exported", mail["_id"])
    assert etree.fromstring(body).get("id") == mail["_id"]


@pytest.mark.req("IV-37", "IV-40")
def test_a_connection_that_refuses_is_an_incident_on_error(desk: Desk, receiver: tuple[type[Receiver], str]) -> None:
    receiver[0].answer = 400
    desk.configure(posting(receiver[1]))
    (mail,) = desk.receive(a_mail())
    assert (mail["outcome"], len(desk.records("incident"))) == ("dead", 1)
    assert "refuses with 400" in mail["reason"]


@pytest.mark.req("IV-37", "IV-40")
def test_a_folder_that_cannot_be_one_is_an_incident_that_names_the_connection(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    inbox = an_inbox(processor="xml_export", export=Export("warehouse"))
    desk.configure(a_configuration(inbox, connections=(Connection("warehouse", path=str(tmp_path / "file/out")),)))
    (mail,) = desk.receive(a_mail())
    assert (mail["outcome"], "connection warehouse: cannot write to" in mail["reason"]) == ("dead", True)
