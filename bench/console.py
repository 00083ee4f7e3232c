"""How long the lists and the page of a mail take on the server when many mails are stored.

`python -m bench.console` fills an embedded store with 100,000 mails, asks for each page 60 times, and prints the median
and the 95th percentile in milliseconds. The bound is 150 ms.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from services.console.application import build
from services.console.options import Options
from services.operator.permissions import access
from services.queues import QUEUES
from shared.app import App, Location
from shared.contracts.mail import Address
from shared.ids import id_under
from shared.store.journal import JournalEntry
from shared.store.mails import StoredMail

MAILS: Final = 100_000
ROUNDS: Final = 60
BOUND_MS: Final = 150.0
BATCH: Final = 1000
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_WORDS: Final = ("printer", "chair", "invoice", "access", "password", "monitor", "meeting", "badge", "laptop", "phone")
_RULES: Final = ("barred-subject", "rate", "kind", "accept-only")
_RAW: Final = b"From: anna@customer.example\r\nSubject: Printer\r\n\r\nThe printer is on fire.\r\n"
PAGES: Final = (
    "/mails",
    "/mails?skip=9000",
    "/mails?outcome=rejected",
    "/mails?outcome=rejected&inbox=rare",
    "/mails?inbox=support&outcome=dead",
    "/mails?rule=rate",
    "/mails?since=2026-01-02&until=2026-01-03",
    "/mails?q=printer",
    "/mails?q=printer+4711",
    "/mails?q=person77@customer77.example",
    "/mails?q=nothing",
    "/rejected",
    "/rejected?rule=kind",
    "/jobs",
    "/mails/{mail}",
    "/mails/{mail}?tab=html",
    "/mails/{mail}?tab=source",
)


def mails(count: int, raw: str) -> Iterator[StoredMail]:
    """Mails of one store: one in eight is rejected, one in fifty dead."""
    for number in range(count):
        rejected, dead = number % 8 == 0, number % 50 == 1
        person = number % 4000
        yield StoredMail(
            id=f"{number * 2654435761 % 2**32:08x}{number:024x}",
            inbox="rare" if number % 1000 == 3 else "support",
            raw=raw,
            size=len(_RAW),
            received_at=_START + timedelta(seconds=number),
            from_=Address(f"Person {person}", f"person{person}@customer{person % 500}.example"),
            subject=f"{_WORDS[number % 10]} {_WORDS[number // 10 % 10]} {number}",
            kind="message",
            message_id=f"<{number}@customer.example>",
            message_key=f"{number}@customer.example",
            outcome="rejected" if rejected else "dead" if dead else "recorded",
            reason="a rule objects" if rejected else None,
            rule=_RULES[number // 8 % 4] if rejected else None,
        )


def fill(app: App, count: int) -> str:
    """Store mails with their journals; the id of one of them."""
    raw, batch, last = app.documents.put_blob(_RAW), list[StoredMail](), ""
    for mail in mails(count, raw):
        batch.append(mail)
        if len(batch) == BATCH or mail.id[8:] == f"{count - 1:024x}":
            _store(app, batch)
            last = batch[len(batch) // 2].id
            batch.clear()
    return last


def _store(app: App, batch: list[StoredMail]) -> None:
    stages = ("parser", "filter", "sender-matcher", "record-writer")
    with app.documents.batch():
        for mail in batch:
            app.mails.receive(mail)
        app.journal.add(
            [
                JournalEntry(id_under(mail.id, stage), mail.id, stage, mail.received_at, "done", "because")
                for mail in batch
                for stage in stages
            ]
        )


def main(count: int = MAILS) -> int:
    """Measure, print, and return 1 when a page is above the bound."""
    from starlette.testclient import TestClient

    with tempfile.TemporaryDirectory() as folder:
        app = App.open(Location(Path(folder)), QUEUES)
        mail = fill(app, count)
        user = access.add_user(app, "bench", "operator")
        client = TestClient(build(app, Options()), base_url="http://localhost")
        client.cookies.set("postroom", access.sign_in(app, user, "bench"))
        slow = [path for path in PAGES if _measure(client, path.format(mail=mail), path) > BOUND_MS]
        client.close()
        app.close()
    return 1 if slow else 0


def _measure(client: Any, path: str, name: str) -> float:
    times = list[float]()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = client.get(path)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, path
    times.sort()
    p95 = times[int(len(times) * 0.95) - 1]
    sys.stdout.write(f"{name:45} median {times[len(times) // 2]:7.1f} ms   95 % {p95:7.1f} ms\n")
    sys.stdout.flush()
    return p95


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else MAILS))
