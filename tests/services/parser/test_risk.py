"""Which mails are parsed in the worker's own process: what it costs to read them is known before."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from services.parser.risk import is_small_and_plain
from tests.builders import a_mail

HTML = "<html><body>" + '<p class="x">Some words of a letter.</p>\n' * 800 + "</body></html>"


def with_part(content_type: str, body: bytes = b"x\r\n", *fields: str) -> bytes:
    """A mail of two parts, the second as given."""
    more = "".join(f"{field}\r\n" for field in fields)
    return (
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=cut\r\n\r\n--cut\r\n\r\nHello.\r\n--cut\r\n"
        + f"Content-Type: {content_type}\r\n{more}\r\n".encode()
        + body
        + b"\r\n--cut--\r\n"
    )


def encoded(size: int) -> bytes:
    return base64.encodebytes(bytes(range(256)) * (size // 256))


def letter(html: str) -> bytes:
    mail = EmailMessage(SMTP)
    mail["From"] = "a@b.example"
    mail.set_content("Hello.\n" * 300)
    mail.add_alternative(html, subtype="html")
    mail.add_attachment(b"x" * 1_000_000, maintype="application", subtype="pdf", filename="a.pdf")
    return mail.as_bytes()


BASE64 = "Content-Transfer-Encoding: base64"
PLAIN = {
    "a plain mail": a_mail("It burns.\n" * 100),
    "nothing": b"",
    "a letter in HTML with a file of 1 MB": letter(HTML),
    "pictures": with_part("image/png", encoded(900_000), BASE64),
    "a signature": with_part("application/pkcs7-signature", encoded(5_000), BASE64),
    "a mail forwarded": with_part("message/rfc822", b"From: c@d.example\r\n\r\nHello.\r\n"),
    "a header that only names Outlook": b"X-MS-TNEF-Correlator:\r\n" + a_mail("Hello.\n"),
    "three hundred recipients": b"To: " + b",\r\n ".join(b"p%d@d.example" % n for n in range(300)) + b"\r\n\r\nHello.",
}
ODD = {
    "large text": a_mail("Some words of a letter.\n" * 3_000),
    "large HTML": letter(HTML * 3),
    "very large files": with_part("image/png", encoded(5_000_000), BASE64),
    "a winmail.dat by type": with_part("application/ms-tnef", encoded(600), BASE64),
    "a winmail.dat by name": with_part('application/x; name="WinMail.dat"', encoded(600), BASE64),
    "a winmail.dat in a mail within": with_part(
        "message/rfc822", b"Content-Type: application/vnd.ms-tnef\r\n\r\n" + encoded(600)
    ),
    "what may be signed and opaque": with_part("application/pkcs7-mime", encoded(600), BASE64),
    "many tags": with_part("text/html", b"<b>\r\n" * 4_000),
    "many tags, quoted-printable": with_part(
        "text/html", b"=3Cb>=\r\n" * 4_000, "Content-Transfer-Encoding: quoted-printable"
    ),
    "many tags, base64": with_part("text/html", base64.encodebytes(b"<b>" * 9_000), BASE64),
    "one long line": b"From: a@b.example\r\n\r\n" + b"x " * 2_000,
    "many fields": b"X: y\r\n" * 500 + b"\r\nHello.",
    "a long header": b"X: " + b"y\r\n " * 390 + b"z" * 1_900 + (b"\r\n " + b"z" * 1_900) * 9 + b"\r\n\r\nHello.",
    "colons": b"To: " + b":\r\n " * 350 + b":" * 700 + b"\r\n\r\nHello.",
    "encoded words": b"To: " + b"=?x?\r\n " * 300 + b"\r\n\r\nHello.",
    "encoded words in a part": with_part("text/plain", b"x", "X-Y: " + "=?x? " * 300),
    "many parts": b"Content-Type: multipart/mixed; boundary=c\r\n\r\n" + b"--c\r\n\r\nx\r\n" * 100,
    "multiparts within each other": with_part("text/plain", b"x", *["X: multipart/"] * 30),
    "a million hyphens": b"From: a@b.example\r\n\r\n" + b"-" * 1_000_000,
    "a file of many endings": with_part("image/png", b"AA==\r\n" * 20_000, BASE64),
    "UTF-7": with_part("text/html; charset=utf-7", b"+ADw-b+AD4-\r\n" * 100),
    "text that says it is a file": b"From: a@b.example\r\n\r\n--\r\nContent-Type: image/png\r\n"
    + BASE64.encode()
    + b"\r\n\r\n"
    + encoded(900_000),
}


@pytest.mark.parametrize("mail", PLAIN.values(), ids=PLAIN)
def test_small_and_plain(mail: bytes) -> None:
    assert is_small_and_plain(mail)


@pytest.mark.parametrize("mail", ODD.values(), ids=ODD)
def test_large_or_odd(mail: bytes) -> None:
    assert not is_small_and_plain(mail)


def test_nearly_all_mails_of_every_day_stay_in_the_worker() -> None:
    mails = [path.read_bytes() for path in (Path(__file__).parents[2] / "corpus").glob("*.eml")]
    assert sum(map(is_small_and_plain, mails)) >= 0.9 * len(mails)
