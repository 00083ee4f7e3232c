"""A seeded load of a thousand mails as a help desk gets them, with a manifest that says what must be found again.

The mix, in a thousand: 550 plain texts of 1-4 KB, 250 with 10-40 KB of HTML beside the text, 100 replies that
quote an earlier mail, 60 with a file of 100 KB, 30 with one of 1 MB, 10 in iso-2022-jp, windows-1251 or gb18030.
A folder with a `manifest.json` of the same form can be used instead (`--corpus`): one row a mail with `file`,
`message_id`, `parent` (the Message-ID a reply answers, or null) and `needle` (a text that only this mail has).
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from shared.lazy_dataclass import dataclass

INBOX = "support@desk.example"
SMALL = {"plain": 80, "reply": 20}
"""Texts alone, for runs with very many mails."""
MIX = {"plain": 550, "html": 250, "reply": 100, "file": 60, "large": 30, "charset": 10}
_SYLLABLES = ("ka", "lo", "mi", "ner", "sto", "ve", "ran", "tu", "pel", "di", "sor", "gan", "wi", "hel", "bru", "fo")
_CHARSETS = {
    "iso-2022-jp": "プリンターが動きません。用紙が詰まっています。至急ご確認をお願いいたします。",
    "windows-1251": "Принтер на третьем этаже не работает. Пожалуйста, проверьте его сегодня. ",
    "gb18030": "三楼的打印机坏了，请尽快派人来检查一下，谢谢。",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One mail of the load."""

    file: str
    kind: str
    message_id: str
    parent: str | None
    needle: str
    subject: str
    sender: str


class Writer:
    """Writes mails, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.words = ["".join(self.random.choices(_SYLLABLES, k=self.random.randint(1, 4))) for _ in range(3000)]
        self.people = [
            Address(f"Person {n}", addr_spec=f"person{n:03}@customer{n % 40:02}.example") for n in range(200)
        ]

    def text(self, size: int) -> str:
        """Paragraphs of about so many characters."""
        lines: list[str] = []
        while sum(map(len, lines)) < size:
            lines += [" ".join(self.random.choices(self.words, k=11)) for _ in range(5)] + [""]
        return "\n".join(lines)

    def needle(self, number: int) -> str:
        """A text that stands in one mail only."""
        return f"case-{number:06}-{self.random.getrandbits(40):010x}"

    def mail(self, number: int, subject: str, parent: Row | None = None) -> EmailMessage:
        """Headers as a mail has after three relays."""
        mail = EmailMessage(SMTP)
        for hop in range(3):
            mail["Received"] = f"from mx{hop}.customer.example by relay{hop}.desk.example with ESMTPS id {number:08X}"
        mail["DKIM-Signature"] = f"v=1; a=rsa-sha256; d=customer.example; s=s1; b={self.random.randbytes(128).hex()}"
        mail["From"] = parent.sender if parent else str(self.random.choice(self.people))
        mail["To"] = INBOX
        mail["Subject"] = subject
        mail["Date"] = f"{1 + number % 28:02} Nov 2026 {number % 24:02}:{number % 60:02}:00 +0100"
        mail["Message-ID"] = f"<load.{number}.{self.random.getrandbits(48):012x}@customer.example>"
        if parent:
            mail["In-Reply-To"] = mail["References"] = parent.message_id
        return mail

    def subject(self) -> str:
        """A few words."""
        return " ".join(self.random.choices(self.words, k=self.random.randint(3, 8))).capitalize()


def _plain(writer: Writer, mail: EmailMessage, needle: str) -> None:
    mail.set_content(f"{writer.text(writer.random.randint(900, 3900))}\n{needle}\n")


def _html(writer: Writer, mail: EmailMessage, needle: str) -> None:
    text = f"{writer.text(writer.random.randint(900, 3000))}\n{needle}\n"
    mail.set_content(text)
    row = '<tr><td style="padding:4px;font-family:Arial"><span style="color:#1f497d">{}</span></td></tr>\n'
    size, rows = writer.random.randint(10_000, 40_000), [row.format(line) for line in text.splitlines()]
    while sum(map(len, rows)) < size:
        rows.append(row.format(" ".join(writer.random.choices(writer.words, k=12))))
    mail.add_alternative(
        f"<html><head><style>td {{margin:0}}</style></head><body><table>{''.join(rows)}</table></body></html>",
        subtype="html",
    )


def _reply(writer: Writer, mail: EmailMessage, needle: str) -> None:
    quoted = "\n".join(f"> {line}" for line in writer.text(800).splitlines())
    mail.set_content(f"{writer.text(300)}\n{needle}\n\nOn Mon, 16 Nov 2026 at 09:00, Support wrote:\n{quoted}\n")


def _file(size: int) -> Callable[[Writer, EmailMessage, str], None]:
    def fill(writer: Writer, mail: EmailMessage, needle: str) -> None:
        _plain(writer, mail, needle)
        content = b"%PDF-1.4\n" + writer.random.randbytes(size)
        mail.add_attachment(content, maintype="application", subtype="pdf", filename=f"{needle}.pdf")

    return fill


def _charset(writer: Writer, mail: EmailMessage, needle: str) -> None:
    name = writer.random.choice(sorted(_CHARSETS))
    body = "\n".join([needle, *[_CHARSETS[name]] * 20]).encode(name)
    mail["MIME-Version"] = "1.0"
    mail["Content-Type"] = f"text/plain; charset={name}"
    mail["Content-Transfer-Encoding"] = "base64"
    mail.set_payload(base64.encodebytes(body).decode())


FILL: dict[str, Callable[[Writer, EmailMessage, str], None]] = {
    "plain": _plain,
    "html": _html,
    "reply": _reply,
    "file": _file(100_000),
    "large": _file(1_000_000),
    "charset": _charset,
}


def load(seed: int, count: int, mix: Mapping[str, int] = MIX) -> Iterator[tuple[Row, bytes]]:
    """The mails; a reply comes from who wrote the mail that it answers."""
    writer = Writer(seed)
    kinds = [kind for kind, share in mix.items() for _ in range(share)]
    order = [kinds[n % len(kinds)] for n in range(count)] if count >= len(kinds) else writer.random.sample(kinds, count)
    writer.random.shuffle(order)
    roots: list[Row] = []
    for number, drawn in enumerate(order):
        kind = "plain" if drawn == "reply" and not roots else drawn
        parent = writer.random.choice(roots) if kind == "reply" else None
        subject = f"Re: {parent.subject}" if parent else writer.subject()
        mail, needle = writer.mail(number, subject, parent), writer.needle(number)
        FILL[kind](writer, mail, needle)
        if mail.is_multipart():
            mail.set_boundary(f"=_{needle}")  # a boundary of the library's is another one each time
        parent_id = parent.message_id if parent else None
        row = Row(f"{number:06}.eml", kind, mail["Message-ID"], parent_id, needle, subject, mail["From"])
        if kind in {"plain", "html"}:
            roots.append(row)
        yield row, mail.as_bytes()


def existing(seed: int, count: int) -> Iterator[bytes]:
    """Small mails, each of which makes one record before the measurement begins."""
    writer = Writer(seed)
    for number in range(count):
        mail = writer.mail(1_000_000 + number, writer.subject())
        mail.set_content(writer.text(writer.random.randint(600, 2000)))
        yield mail.as_bytes()


def written(folder: Path, seed: int, count: int, mix: Mapping[str, int] = MIX) -> Path:
    """A folder with the load and its manifest; made once."""
    if not (folder / "manifest.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for row, raw in load(seed, count, mix):
            (folder / row.file).write_bytes(raw)
            rows.append(asdict(row))
        (folder / "manifest.json").write_text(json.dumps({"seed": seed, "mails": rows}, indent=0), "utf-8")
    return folder


def manifest(folder: Path) -> list[dict[str, Any]]:
    """The rows of a folder's manifest."""
    found: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text("utf-8"))["mails"]
    return found
