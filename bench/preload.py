"""Fill a data folder with records: `python -m bench.preload DIR N SEED`.

The first `PATTERN` of them are made by the whole pipeline; the others are copies of what it wrote, in every collection
and the blobs, under other ids, numbers and times, in the order in which the pipeline writes.
"""

from __future__ import annotations

import hashlib
import re
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from bench import corpus
from services import runner
from services.queues import QUEUES
from shared.app import App, Location
from shared.intake import RawMail
from shared.store.documents import Document

PATTERN = 2000
BATCH = 1000
COPIED = ("arrivals", "mails", "records", "activities", "history", "journal")
"""Collections that grow with each mail; people write again."""
_ID = re.compile(r"\b[0-9a-f]{32}(?:[0-9a-f]{32})?\b")
_NUMBER = re.compile(r"\bINC(\d+)\b|(?<=\bload\.)(\d+)(?=\.)")
_APART = timedelta(hours=1)
"""Time between one copy and the next, so that not all came in one minute."""


def main(folder: Path, count: int, seed: int) -> None:
    """Make the records. Raises `SystemExit` when there are not as many in the end."""
    app = App.open(Location(folder), QUEUES)
    try:
        mails = corpus.existing(seed, min(count, PATTERN))
        while raws := list(islice(mails, BATCH)):
            app.intake.hand_over([RawMail(raw) for raw in raws])
            runner.run_all(app, threading.Event(), once=True, sources=False)
        if count > PATTERN:
            _copy(app, count)
        found = app.documents.count("records", {})
        if found != count:
            raise SystemExit(f"{found} records instead of {count}")
    finally:
        app.close()


def _copy(app: App, count: int) -> None:
    """Repeat what the pipeline wrote until there are as many."""
    store = app.documents
    originals = {name: list(store.find(name, {})) for name in COPIED}
    blobs = {mail["raw"]: store.get_blob(mail["raw"]) for mail in originals["mails"]}
    for number in range(1, -(-count // PATTERN)):
        most = min(PATTERN, count - number * PATTERN)
        kept = {mail["_id"] for mail in originals["mails"][:most]}
        with store.batch():
            for name, documents in originals.items():
                store.insert_many(name, list(_copies(documents, kept, number)))
            for sha256, content in islice(blobs.items(), most):
                store.put_blob(content, _other_id(sha256, number))
    store.upsert("counters", "incident", {"$set": {"last": count}})


def _copies(documents: list[Document], kept: set[str], number: int) -> Iterator[Document]:
    for document in documents:
        if _mail_of(document) in kept:
            yield _copied(document, number)


def _mail_of(document: Document) -> str:
    """The mail that a document is about; a record names it as where it came from."""
    return str(document.get("mail_id") or document.get("origin") or document["_id"])


def _copied(value: Any, number: int) -> Any:
    match value:
        case str():
            other = _ID.sub(lambda found: _other_id(found[0], number), value)
            return _NUMBER.sub(lambda found: _moved(found, number), other)
        case datetime():
            return value - number * _APART
        case list():
            return [_copied(each, number) for each in value]
        case dict():
            moved = {key: _copied(each, number) for key, each in value.items()}
            return moved | ({"serial": value["serial"] + number * PATTERN} if "serial" in value else {})
    return value


def _moved(found: re.Match[str], number: int) -> str:
    record, mail = found.groups()
    return f"INC{int(record) + number * PATTERN}" if record else str(int(mail) + number * PATTERN)


def _other_id(id_: str, number: int) -> str:
    return hashlib.sha256(f"{number}:{id_}".encode()).hexdigest()[: len(id_)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
