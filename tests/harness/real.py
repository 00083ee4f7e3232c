"""Real mails, where the checkout has them beside it: a folder of mails by others, with a manifest."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.harness.mails import Sent

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "corpus"
_HEADS = {
    "body-text": b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n',
    "body-html": b'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n',
    "tnef": b'Content-Type: application/ms-tnef; name="winmail.dat"\r\nContent-Transfer-Encoding: binary\r\n',
}


def corpus() -> list[Sent]:
    """All of them, each once; a part of a mail gets headers. Skips without the folder."""
    raws = Counter(_whole(entry["form"], (FOLDER / entry["path"]).read_bytes()) for entry in _entries())
    return [Sent(f"c{n}", raw, "", times=times) for n, (raw, times) in enumerate(raws.items())]


def replies() -> list[tuple[bytes, str]]:
    """Those whose projects say what their senders wrote, as answers to `<o1@desk>`; and what that is."""
    entries = [entry for entry in _entries() if entry["expect"].get("reply_text")]
    raws = (_whole(entry["form"], (FOLDER / entry["path"]).read_bytes()) for entry in entries)
    return [
        (b"In-Reply-To: <o1@desk>\n" + raw, entry["expect"]["reply_text"])
        for raw, entry in zip(raws, entries, strict=True)
    ]


def _entries() -> list[dict[str, Any]]:
    manifest = FOLDER / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip(f"the folder of real mails is missing: {FOLDER}")
    return [json.loads(line) for line in manifest.read_text().splitlines()]


def _whole(form: str, content: bytes) -> bytes:
    if form not in _HEADS:
        return content
    head = b"From: anna@customer.example\r\nTo: support@example.com\r\nSubject: A body\r\nMIME-Version: 1.0\r\n"
    return head + _HEADS[form] + b"\r\n" + content
