"""Real mails, where the checkout has them beside it: a folder of mails by others, with a manifest."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.harness.mails import Sent

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "corpus"
_HEADS = {
    "body-text": b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n',
    "body-html": b'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n',
    "tnef": b'Content-Type: application/ms-tnef; name="winmail.dat"\r\nContent-Transfer-Encoding: binary\r\n',
}


def corpus() -> list[Sent]:
    """All of them, each once; what is no whole mail gets headers. Skips where the folder is not there."""
    folder = FOLDER
    if not (folder / "manifest.jsonl").exists():
        pytest.skip(f"there are no mails of others at {folder}")
    entries = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    raws = Counter(_whole(entry["form"], (folder / entry["path"]).read_bytes()) for entry in entries)
    return [Sent(f"c{n}", raw, "", times=times) for n, (raw, times) in enumerate(raws.items())]


def _whole(form: str, content: bytes) -> bytes:
    if form not in _HEADS:
        return content
    head = b"From: anna@customer.example\r\nTo: support@example.com\r\nSubject: A body\r\nMIME-Version: 1.0\r\n"
    return head + _HEADS[form] + b"\r\n" + content
