"""What is inside of an opaque S/MIME signature: both forms of lengths, strings in pieces, and anything else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.parser import mime, smime
from services.parser.bounds import Bounds
from shared.contracts.errors import BoundExceeded
from tests.services.parser.mails import HEAD, attachment, multipart, part

SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")
DATA = bytes.fromhex("06092a864886f70d010701")
ENTITY = b"Content-Type: text/plain; charset=utf-8\r\n\r\nThe tray is st\xc3\xbcck.\r\n"


def element(tag: int, content: bytes, *, indefinite: bool = False) -> bytes:
    """One element of BER."""
    if indefinite:
        return bytes([tag, 0x80]) + content + b"\0\0"
    size = len(content)
    length = bytes([size]) if size < 0x80 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def signed(entity: bytes, *, indefinite: bool = False, pieces: int = 1, kind: bytes = SIGNED_DATA) -> bytes:
    """Signed-data around an entity, without the signature itself."""
    step = -(-len(entity) // pieces) or 1
    cut = [element(0x04, entity[at : at + step]) for at in range(0, len(entity), step)]
    octets = element(0x04, entity) if pieces == 1 else element(0x24, b"".join(cut), indefinite=indefinite)
    wrapped = element(0x30, DATA + element(0xA0, octets, indefinite=indefinite), indefinite=indefinite)
    algorithms = element(0x31, element(0x30, b"", indefinite=indefinite), indefinite=indefinite)
    body = element(0x30, b"\x02\x01\x01" + algorithms + wrapped + b"\x31\0", indefinite=indefinite)
    return element(0x30, kind + element(0xA0, body, indefinite=indefinite), indefinite=indefinite)


FORMS = {
    "definite": signed(ENTITY),
    "indefinite": signed(ENTITY, indefinite=True),
    "in pieces": signed(ENTITY, pieces=5),
    "in pieces, indefinite": signed(ENTITY, indefinite=True, pieces=5),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS.keys())
def test_what_was_signed_is_found(data: bytes) -> None:
    assert smime.content(data) == ENTITY


@pytest.mark.parametrize(
    "data", [b"", b"0", b"\x30\x80", b"no BER at all", signed(ENTITY, kind=ENVELOPED_DATA), b"\x30\x89" + b"\xff" * 20]
)
def test_anything_else_has_nothing_signed(data: bytes) -> None:
    assert smime.content(data) is None


@given(st.binary(max_size=200) | st.integers(0, 80).map(lambda at: FORMS["indefinite"][:at] + b"\x30\x80" * 50))
def test_any_bytes_are_survived(data: bytes) -> None:
    found = smime.content(data)
    assert found is None or len(found) <= len(data)


def p7m(data: bytes) -> bytes:
    """A mail that is one opaque S/MIME part."""
    head = b'Content-Type: application/pkcs7-mime; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\n'
    return head + b"Content-Disposition: attachment; filename=smime.p7m\r\n\r\n" + base64.encodebytes(data)


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS.keys())
def test_an_opaque_signed_mail_can_be_read(data: bytes) -> None:
    mail = mime.read(HEAD + p7m(data)).mail
    assert mail.text == "The tray is stück.\n"
    assert [one.filename for one in mail.attachments] == ["smime.p7m"]
    assert mail.defects == ("signed",)


def test_files_inside_a_signature_are_attachments() -> None:
    inner = multipart(part(b"See below."), attachment(b"a.pdf")).partition(b"MIME-Version: 1.0\r\n")[2]
    mail = mime.read(HEAD + p7m(signed(inner))).mail
    assert (mail.text, [one.filename for one in mail.attachments]) == ("See below.", ["smime.p7m", "a.pdf"])


def test_signatures_around_signatures_are_opened_a_few_times() -> None:
    data = ENTITY
    for _ in range(8):
        data = p7m(signed(data, indefinite=True))
    mail = mime.read(HEAD + data).mail
    assert mail.text == ""
    assert len(mail.attachments) == 5


def test_an_encrypted_mail_stays_closed() -> None:
    mail = mime.read(HEAD + p7m(signed(ENTITY, kind=ENVELOPED_DATA))).mail
    assert (mail.text, mail.defects) == ("", ("encrypted",))


def test_nesting_is_counted_through_signatures() -> None:
    inner = ENTITY
    for _ in range(2):
        opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(80))
        inner = opened + p7m(signed(inner))
    with pytest.raises(BoundExceeded, match="nesting"):
        mime.read(HEAD + inner)


def test_parts_are_counted_through_signatures() -> None:
    entity = multipart(*[part(b"x")] * 60).partition(b"MIME-Version: 1.0\r\n")[2]
    inner = b"".join(b"--y\r\n" + p7m(signed(entity)) for _ in range(2))
    with pytest.raises(BoundExceeded, match="parts"):
        mime.read(HEAD + b"Content-Type: multipart/mixed; boundary=y\r\n\r\n" + inner, bounds=Bounds(parts=100))
