"""Parts that are not what their headers say: files as text, pictures in HTML, several types, glued headers."""

from __future__ import annotations

import base64
import hashlib

import pytest

from services.parser import mime
from shared.contracts.mail import ParsedMail
from tests.services.parser.mails import HEAD, attachment, multipart, part, plain

TEXT = part(b"See the file.", b"Content-Type: text/plain")
PDF = b"%PDF-1.4\n\0\x01\x01\x02\x03\x80\x81\x82\x83\xff"
FILES = {
    "pdf": (PDF, "application/pdf"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "image/png"),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
    "gif": (b"GIF89a\x01\0\x01\0\x80\0\0\xff", "image/gif"),
    "zip": (b"PK\x03\x04\x14\0\0\0\x08\0", "application/zip"),
    "gzip": (b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab", "application/gzip"),
    "word": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "application/octet-stream"),
    "bytes": (bytes(range(256)), "application/octet-stream"),
    "low bytes": (bytes(range(8)), "application/octet-stream"),
    "digest": (hashlib.sha512(b"1").digest(), "application/octet-stream"),
}
TYPES = ((), (b"Content-Type: pdf",), (b"Content-Type: text/plain",), (b"Content-Type: ",), (b"Content-Type: a b/c d",))


def read(raw: bytes) -> ParsedMail:
    return mime.read(raw).mail


@pytest.mark.parametrize("headers", TYPES)
@pytest.mark.parametrize("name", FILES)
def test_bytes_that_are_not_text_are_an_attachment_byte_for_byte(name: str, headers: tuple[bytes, ...]) -> None:
    data, kind = FILES[name]
    encoded = part(base64.encodebytes(data), *headers, b"Content-Transfer-Encoding: base64")
    reading = mime.read(multipart(TEXT, encoded))
    (file,) = reading.mail.attachments
    assert (reading.contents[file.sha256], file.content_type) == (data, kind)
    assert reading.mail.text == "See the file."
    assert "binary-as-text" in reading.mail.defects


def test_a_mail_that_is_a_file_has_no_text() -> None:
    mail = read(plain(PDF, b"Content-Transfer-Encoding: binary"))
    assert (mail.text, [file.size for file in mail.attachments]) == ("", [len(PDF)])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"he\0llo", "hello"),
        (b"one\x01 line in a text of thirty", "one line in a text of thirty"),
        (b"%PDF-1.4 is what I see", "%PDF-1.4 is what I see"),
        (b"BM and ID3 are short", "BM and ID3 are short"),
        (b"page one\x0cpage two", "page one\npage two"),
        ("größe\x07 und mehr Text dazu".encode(), "größe und mehr Text dazu"),
        ("größe\x85neu".encode(), "größe\nneu"),
        (b"\x1b$B%F%9%H\x1b(B", "テスト"),
        ("größe".encode("utf-16"), "größe"),
        (b"colours \x1b[31mred\x1b[0m", "colours [31mred[0m"),
    ],
)
def test_text_stays_text_without_its_control_characters(body: bytes, text: str) -> None:
    mail = read(plain(body))
    assert (mail.text.strip(), mail.attachments) == (text, ())


PNG = base64.b64decode("iVBORw0KGgo=")


@pytest.mark.parametrize(
    ("markup", "kind", "data"),
    [
        ('<img src="data:image/png;base64,iVBORw0KGgo=">', "image/png", PNG),
        ("<img alt='a > b' src='data:image/png;base64,iVBORw0KGgo='>", "image/png", PNG),
        ("<img src=data:image/png;base64,iVBORw0KGgo=>", "image/png", PNG),
        ('<IMG SRC = " DATA:Image/PNG;BASE64,iVBORw0KGgo=">', "image/png", PNG),
        ('<img src="data:image/png;base64,iVBO\r\n Rw0K\r\n Ggo=">', "image/png", PNG),
        ('<img src="data:image/png;base64,iVBORw0KGgo%3D">', "image/png", PNG),
        ('<img src="data:image/png;name=a.png;base64,iVBORw0KGgo&#61;">', "image/png", PNG),
        ('<img src="data:image/svg+xml,%3Csvg/%3E">', "image/svg+xml", b"<svg/>"),
        ("<img src=\"data:image/svg+xml;utf8,<svg a='b'/>\">", "image/svg+xml", b"<svg a='b'/>"),
        ('<td style="background:url(data:image/gif;base64,R0lGODlh)">x</td>', "image/gif", b"GIF89a"),
        ("<td style=\"background:url('data:image/gif;base64,R0lGODlh')\">x</td>", "image/gif", b"GIF89a"),
        ('<a href="data:application/pdf;base64,JVBERi0=">x</a>', "application/pdf", b"%PDF-"),
        ('<a href="data:,hello%20you">x</a>', "text/plain", b"hello you"),
    ],
)
def test_a_picture_in_a_data_uri_is_an_attachment(markup: str, kind: str, data: bytes) -> None:
    reading = mime.read(plain(f"{markup}{markup}<p>words</p>".encode(), b"Content-Type: text/html"))
    (file,) = reading.mail.attachments
    assert (file.content_type, reading.contents[file.sha256]) == (kind, data)
    assert "words" in reading.mail.text
    assert "data:" not in (reading.mail.html or "").lower()


def test_the_html_shows_the_picture_that_it_held() -> None:
    mail = read(plain(b'<img src="data:image/png;base64,iVBORw0KGgo=">', b"Content-Type: text/html"))
    (file,) = mail.attachments
    assert (file.filename, file.inline) == ("image.png", True)
    assert mail.html is not None
    assert f'src="cid:{file.content_id}"' in mail.html


def test_words_behind_a_large_picture_stay() -> None:
    picture = base64.b64encode(b"\x89PNG" * 800_000)
    mail = read(plain(b'<img src="data:image/png;base64,' + picture + b'"><p>words</p>', b"Content-Type: text/html"))
    assert (mail.text, [file.size for file in mail.attachments]) == ("words", [3_200_000])


@pytest.mark.parametrize(
    "markup", ['<img src="data:image/png;base64,">', '<img src="data:image/png">', "<img src='data:'>"]
)
def test_a_data_uri_that_cannot_be_read_is_a_defect(markup: str) -> None:
    assert "broken-data-uri" in read(plain(markup.encode(), b"Content-Type: text/html")).defects


def test_words_about_a_data_uri_stay_words() -> None:
    mail = read(plain(b"<p>src=data:image/png;base64,iVBORw0KGgo= fails</p>", b"Content-Type: text/html"))
    assert (mail.text, mail.attachments) == ("src=data:image/png;base64,iVBORw0KGgo= fails", ())


BODY = (
    b"--B\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xb6\xc3\x9fe\r\n--B\r\n"
    + attachment(b"a.pdf")
    + b"\r\n--B--\r\n"
)
MIXED = b"multipart/mixed; boundary=B"


@pytest.mark.parametrize(
    "types",
    [
        (b"text/plain; charset=us-ascii", MIXED),
        (MIXED, b"text/plain; charset=us-ascii"),
        (b"multipart/mixed; boundary=A", MIXED),
        (MIXED, b"multipart/mixed; boundary=A"),
        (b"text/html", MIXED),
        (b"application/octet-stream", MIXED),
        (b"pdf", MIXED),
        (b"", MIXED),
        (MIXED, MIXED),
        (b"multipart/alternative", b"text/plain", MIXED),
    ],
)
def test_of_several_types_the_one_whose_boundary_occurs_counts(types: tuple[bytes, ...]) -> None:
    mail = read(HEAD + b"".join(b"Content-Type: " + one + b"\r\n" for one in types) + b"\r\n" + BODY)
    assert (mail.text.strip(), [file.filename for file in mail.attachments]) == ("Größe", ["a.pdf"])
    assert "several-content-types" in mail.defects


@pytest.mark.parametrize(
    ("types", "text"),
    [
        ((b"text/plain", b"text/html"), "words"),
        ((b"multipart/mixed; boundary=A", b"text/html"), "words"),
        ((b"nonsense", b"text/html"), "words"),
        ((b"text/html", b"multipart/mixed; boundary=A"), "words"),
        ((*[b""] * 10, b"text/html"), "words"),
    ],
)
def test_without_a_boundary_the_type_that_fits_counts(types: tuple[bytes, ...], text: str) -> None:
    assert read(plain(b"<p>words</p>", *(b"Content-Type: " + one for one in types))).text == text


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: text/plain; charset=utf-8 Content-Transfer-Encoding: base64",
        b'Content-Type: text/plain; charset="utf-8"Content-Transfer-Encoding: base64',
        b"Content-Type: text/plain; charset=utf-8; Content-Transfer-Encoding: base64",
        b"Content-Type: text/plain; charset=utf-8;content-transfer-encoding:base64",
        b"Content-Type: text/plain; charset=utf-8\r\n Content-Transfer-Encoding: base64",
        b"Content-Type: text/plain; charset=utf-8\rContent-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: base64 Content-Type: text/plain; charset=utf-8",
        b"MIME-Version: 1.0 Content-Type: text/plain; charset=utf-8 Content-Transfer-Encoding: base64",
        b"Content-Type: text/plain; charset=utf-8 X-Mailer: A 1.0\r\nContent-Transfer-Encoding: base64",
        b"Content-Type: text/plain; charset=utf-8 MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64",
        b"Content-Disposition: inline Content-Type: text/plain; charset=utf-8\tContent-Transfer-Encoding: base64",
    ],
)
def test_a_header_behind_the_parameters_of_another_is_read(header: bytes) -> None:
    mail = read(plain(base64.encodebytes("Größe fehlt.".encode()), header))
    assert mail.text.strip() == "Größe fehlt."
    assert "glued-headers" in mail.defects


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b'attachment; filename="Content-Type: a.pdf"', "Content-Type: a.pdf"),
        (b"attachment; filename=Subject: hello.eml", "Subject: hello.eml"),
        (b'attachment; filename="a.pdf" Content-Transfer-Encoding: base64', "a.pdf"),
        (b"attachment; filename=a.pdf Content-Transfer-Encoding: base64", "a.pdf"),
    ],
)
def test_a_name_that_looks_like_a_header_stays_whole(header: bytes, name: str) -> None:
    mail = read(multipart(TEXT, part(b"ZGF0YQ==", b"Content-Disposition: " + header)))
    assert [file.filename for file in mail.attachments] == [name]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b'"30" wide screen.jpg"', '30" wide screen.jpg'),
        (b'"30" x 40" frame.jpg"', '30" x 40" frame.jpg'),
        (b'"My "best" photo.png"; size=3', 'My "best" photo.png'),
        (b'""quoted.pdf""', "quoted.pdf"),
        (b'"3.5" disk.img" ; size=3', '3.5" disk.img'),
        (b'"27" monitor.jpeg', '27" monitor.jpeg'),
        (b'"27" monitor.jpg; size=3', '27" monitor.jpg'),
        (b'"a.pdf" junk; size=3', "a.pdf"),
        (b'"a.pdf" size=3', "a.pdf"),
        (b'"a;b.pdf"', "a;b.pdf"),
        (b'"a \\"b\\" c.pdf"', 'a "b" c.pdf'),
        (b'"unclosed.pdf', "unclosed.pdf"),
    ],
)
def test_a_quotation_mark_within_a_name_does_not_end_it(value: bytes, name: str) -> None:
    assert [file.filename for file in read(multipart(TEXT, attachment(value))).attachments] == [name]


@pytest.mark.parametrize(
    "body",
    [
        b"U2Now7ZuZSBHcsO8w59lCg== ignored",
        b"U2Now7ZuZSBHcsO8w59lCg== junk",
        b"U2Now7ZuZSBHcsO8w59lCg==\r\nignored",
        b"U2Now7ZuZSBHcsO8w59lCg==\r\n\r\njunk",
        b"U2Now7ZuZSBHcsO8w59lCg==ignored",
        b"U2Now7ZuZSBHcsO8w59lCg==\r\n-- \r\nlist footer",
        b"U2Now7ZuZSBHcsO8w59lCg== (end)",
        b"U2Now7ZuZSBHcsO8w59lCg==\r\nSent from my phone",
        b"U2Now7Zu\r\nZSBHcsO8w59lCg==\r\nsigned",
        b"U2Now7ZuZSBHcsO8w59lCg==\tx",
    ],
)
def test_words_behind_the_padding_of_base64_do_not_spoil_it(body: bytes) -> None:
    mail = read(plain(body, b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: base64"))
    assert mail.text.strip() == "Schöne Grüße"
    assert "broken-base64" in mail.defects
