"""winmail.dat: what is inside comes out, and broken ones do no harm."""

from __future__ import annotations

import struct

import pytest

from services.parser import mime, rtf, tnef
from services.parser.defects import Defects
from tests.services.parser.mails import attachment, multipart, part

EMPTY = b"\x78\x9f\x3e\x22\1\0"


def attribute(level: int, number: int, value: bytes) -> bytes:
    return struct.pack("<BHHI", level, number, 6, len(value)) + value + b"\0\0"


def binary(number: int, value: bytes, kind: int = 0x102) -> bytes:
    return struct.pack("<HHII", kind, number, 1, len(value)) + value + b"\0" * (-len(value) % 4)


def properties(*values: bytes) -> bytes:
    return struct.pack("<I", len(values)) + b"".join(values)


def winmail(
    *, text: str = "", html: bytes = b"", packed: bytes = b"", files: list[tuple[str, bytes]] | None = None
) -> bytes:
    """A container as Outlook writes it."""
    message = []
    if html:
        message.append(binary(0x1013, html))
    if packed:
        message.append(binary(0x1009, packed))
    if text:
        message.append(binary(0x1000, text.encode("utf-16-le") + b"\0\0", 0x1F))
    out = b"\x78\x9f\x3e\x22\1\0" + attribute(1, 0x9007, struct.pack("<II", 1252, 0))
    if message:
        out += attribute(1, 0x9003, properties(*message))
    for name, data in files or []:
        long_name = binary(0x3707, name.encode("utf-16-le") + b"\0\0", 0x1F)
        out += attribute(2, 0x9002, b"\1\0" + b"\xff" * 12) + attribute(2, 0x8010, b"SHORT~1.TXT\0")
        out += attribute(2, 0x800F, data) + attribute(2, 0x9005, properties(long_name))
    return out


def opened(data: bytes) -> tuple[tnef.Winmail | None, tuple[str, ...]]:
    defects = Defects()
    return tnef.opened(data, defects), defects.words()


def test_files_come_out_with_their_long_names() -> None:
    found, defects = opened(winmail(files=[("Übersicht 2026.txt", b"abc"), ("b.pdf", b"%PDF")]))
    assert found is not None
    assert [(item.name, item.data, item.content_type) for item in found.files] == [
        ("Übersicht 2026.txt", b"abc", "text/plain"),
        ("b.pdf", b"%PDF", "application/pdf"),
    ]
    assert defects == ()


def test_text_and_html_come_out() -> None:
    found, _ = opened(winmail(text="Grüße", html=b"<p>Gr\xfc\xdfe</p>"))
    assert found is not None
    assert found.text == "Grüße"
    assert "Grüße" in found.html


def test_the_body_of_a_winmail_is_used_only_when_there_is_no_other() -> None:
    data = attachment(b"winmail.dat", winmail(text="from inside"), b"application/ms-tnef")
    with_text = mime.read(multipart(part(b"from outside", b"Content-Type: text/plain"), data)).mail
    without = mime.read(multipart(part(b" ", b"Content-Type: text/plain"), data)).mail
    assert with_text.text.strip() == "from outside"
    assert without.text.strip() == "from inside"


def test_plain_rtf_is_the_last_resort() -> None:
    markup = rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}\f0 Gr\'fc\'dfe\par zweite \b Zeile\b0\par \u8364?5}"
    packed = struct.pack("<II4sI", len(markup) + 12, len(markup), b"MELA", 0) + markup
    found, _ = opened(winmail(packed=packed))
    assert found is not None
    assert found.text == "Grüße\nzweite Zeile\n€5"


def test_compressed_rtf_is_unpacked() -> None:
    # The worked example of MS-OXRTFCP, section 4.1.
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert rtf.decompressed(packed) == rb"{\rtf1\ansi\ansicpg1252\pard hello world}" + b"\r\n"


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_cut_winmail_gives_what_was_read_until_then(cut: int) -> None:
    whole = winmail(text="hello", html=b"<p>x</p>", files=[("a.txt", b"abc" * 20)])
    found, defects = opened(whole[:cut])
    assert found is not None or defects == ("broken-winmail",)


def test_absurd_counts_do_no_harm() -> None:
    data = b"\x78\x9f\x3e\x22\1\0" + attribute(1, 0x9003, b"\xff" * 64)
    found, defects = opened(data)
    assert found is not None
    assert defects == ("broken-winmail",)


def test_a_file_that_is_not_a_winmail_stays_an_attachment() -> None:
    mail = mime.read(multipart(attachment(b"winmail.dat", b"not at all", b"application/ms-tnef"))).mail
    assert [item.filename for item in mail.attachments] == ["winmail.dat"]
    assert "broken-winmail" in mail.defects


def test_several_values_of_no_size_are_broken() -> None:
    block = struct.pack("<IHHI", 1, 0x1001, 0x1234, 0xFFFF_FFFF)
    found, defects = opened(EMPTY + attribute(1, 0x9003, block))
    assert found is not None
    assert defects == ("broken-winmail",)


def test_values_are_counted_in_all() -> None:
    one = struct.pack("<HHI", 0x1003, 0x1234, 60_000) + b"abcd" * 60_000
    found, defects = opened(EMPTY + attribute(1, 0x9003, struct.pack("<I", 2) + one * 2))
    assert found is not None
    assert defects == ("broken-winmail",)
