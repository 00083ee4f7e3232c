"""Files in yEnc within a text: attachments with their exact bytes; what is incomplete stays."""

from __future__ import annotations

import pytest

from services.parser import mime, yenc

CONTENT = bytes(range(256)) * 3
_ESCAPED = {0x00, 0x0A, 0x0D, 0x3D, 0x2E}
HEAD = b"From: nora@customer.example\r\nSubject: a file\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"


def encoded(content: bytes, name: str, *, size: int | None = None) -> bytes:
    """A block of yEnc 1.3 in lines of 100 bytes of content."""
    lines = []
    for start in range(0, len(content), 100):
        values = [(value + 42) % 256 for value in content[start : start + 100]]
        lines.append(b"".join(bytes([0x3D, (v + 64) % 256]) if v in _ESCAPED else bytes([v]) for v in values))
    stated = len(content) if size is None else size
    head = f"=ybegin line=100 size={stated} name={name}\r\n".encode()
    return head + b"\r\n".join(lines) + f"\r\n=yend size={stated}\r\n".encode()


@pytest.mark.parametrize("names", [["scan of tray 2.png"], ["a.pdf", "Größe.txt"]], ids=["one", "two"])
def test_yenc_within_a_text_is_an_attachment(names: list[str]) -> None:
    blocks = b"\r\n".join(encoded(CONTENT, name) for name in names)
    reading = mime.read(HEAD + b"See the file.\r\n\r\n" + blocks + b"\r\nThank you.\r\n")
    assert [(each.filename, each.size) for each in reading.mail.attachments] == [(name, 768) for name in names]
    assert set(reading.contents.values()) == {CONTENT}
    assert reading.mail.text.split() == ["See", "the", "file.", "Thank", "you."]
    assert "inline-yenc" in reading.mail.defects


@pytest.mark.parametrize(
    "data",
    [
        encoded(b"Cat", "a.txt", size=4),
        encoded(b"Cat", "a.txt").partition(b"=yend")[0],
        b"What does =ybegin line=128 size=3 name=a.txt mean?\r\n=yend size=3\r\n",
    ],
    ids=["another size", "no end", "a sentence"],
)
def test_an_incomplete_block_stays_text(data: bytes) -> None:
    assert yenc.extracted(data) is None
