"""How many commands a mail costs on MongoDB, and how many rounds of waiting a batch: heard by the driver's listener."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo import monitoring

from bench import corpus
from services import runner
from services.pipeline import STAGES
from services.queues import QUEUES
from shared.app import App, Location
from shared.intake import RawMail
from shared.mongodb import documents as mongo
from shared.mongodb.documents import MongoDocuments
from shared.runtime.worker import PREFETCH, Worker
from shared.store.dead_letters import LetterQuery
from tests.builders import a_mail

MAILS = 96
ROUNDS = {"parser": 3, "filter": 2, "sender-matcher": 2, "record-writer": 7}
"""Rounds of waiting for a batch of new mails. The writer: mails, more numbers than in the batch before, claims,
records, what hangs on them, outcomes, and the end of `pending`. Replies need one more: other mails name their records.
"""

BY_THE_CLOCK = frozenset({"settings", "stage_counts"})
"""Collections that are read or written every few seconds, however many mails there are."""


class Listener(monitoring.CommandListener):
    """Counts commands and rounds by the part that is at work. One round: an exchange, or a command outside of any."""

    def __init__(self) -> None:
        self.part = "start"
        self.commands: Counter[str] = Counter()
        self.rounds: Counter[str] = Counter()
        self.exchanging = False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands[self.part] += 1
        if not self.exchanging and event.command.get(event.command_name) not in BY_THE_CLOCK:
            self.rounds[self.part] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing to note."""


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Listener:
    listener = Listener()
    monkeypatch.setattr(mongo, "MongoClient", partial(pymongo.MongoClient, event_listeners=[listener]))
    original = MongoDocuments.exchange

    def exchange(self: MongoDocuments, reads: Sequence[Any], writes: Sequence[Any]) -> Any:
        listener.rounds[listener.part] += 1
        listener.exchanging = True
        try:
            return original(self, reads, writes)
        finally:
            listener.exchanging = False

    monkeypatch.setattr(MongoDocuments, "exchange", exchange)
    return listener


@pytest.fixture
def app(tmp_path: Path, mongodb_url: str, mongodb_database: str, heard: Listener) -> Iterator[App]:
    made = App.open(Location(tmp_path, store_url=mongodb_url.replace("/?", f"/{mongodb_database}?")), QUEUES)
    made.directory.current()
    yield made
    made.close()


def work(app: App, heard: Listener, raws: Sequence[bytes]) -> dict[str, int]:
    """Hand in, then let each stage work in batches until nothing moves; the batches by stage."""
    heard.part = "publish"
    for first in range(0, len(raws), PREFETCH):
        app.intake.hand_over([RawMail(raw, "support") for raw in raws[first : first + PREFETCH]])
    workers = [Worker(build(app), runner.worker_dependencies(app)) for build in STAGES.values()]
    batches: Counter[str] = Counter()
    for worker in workers:
        worker.consumer._width = PREFETCH  # type: ignore[attr-defined]
        heard.part = worker.stage.name
        while worker.step(0):
            batches[worker.stage.name] += 1
    for worker in workers:
        worker.consumer.close()
    return batches


def test_a_mail_costs_at_most_five_commands_in_batches_of_32(app: App, heard: Listener, tmp_path: Path) -> None:
    load = corpus.written(tmp_path / "load", 20261120, MAILS)
    heard.commands.clear()
    work(app, heard, [path.read_bytes() for path in sorted(load.glob("*.eml"))])
    assert app.mails.count("recorded") == MAILS
    assert app.dead_letters.documents.count("dead_letters", {}) == 0
    assert heard.commands.total() / MAILS <= 5, heard.commands


def test_a_batch_waits_as_often_as_one_mail(app: App, heard: Listener) -> None:
    raws = [a_mail(subject=f"Printer {n}", sender=f"c{n}@customer.example") for n in range(PREFETCH)]
    work(app, heard, raws[:1])
    heard.rounds.clear()
    batches = work(app, heard, raws[1:])
    assert app.mails.count("recorded") == PREFETCH
    assert {batches[stage] for stage in ROUNDS} == {1}
    assert {stage: heard.rounds[stage] for stage in ROUNDS} == ROUNDS


def test_mails_that_are_too_large_for_their_messages_are_read_together(app: App, heard: Listener) -> None:
    """Each names its raw mail in the store; and one with a file of 600 KB does not make the others wait."""
    contents = [b"%02d" % n * (300_000 if n == 0 else 35_000) for n in range(PREFETCH)]
    files = [("scan.bin", "application/octet-stream", content) for content in contents]
    raws = [a_mail(subject=f"Scan {n}", sender=f"c{n}@customer.example", files=(file,)) for n, file in enumerate(files)]
    heard.rounds.clear()
    work(app, heard, raws)
    assert app.mails.count("recorded") == PREFETCH
    assert heard.rounds["parser"] <= ROUNDS["parser"] + 2  # to read the one whose raw mail is a file
    assert heard.commands["parser"] <= 15


def test_mails_about_one_record_come_out_as_if_one_had_followed_the_other(app: App, heard: Listener) -> None:
    work(app, heard, [a_mail(Message_ID="<first@customer.example>")])
    again = [
        a_mail(
            f"Answer {n}.\n",
            subject="Re: Printer",
            In_Reply_To="<first@customer.example>",
            Message_ID=f"<{n}@c.example>",
        )
        for n in range(5)
    ]
    work(app, heard, again)
    (record,) = app.records.list(10)
    assert (record.version, record.pending) == (6, ())
    assert app.records.count_activities(record.id) == 6


def test_a_fault_of_one_mail_is_its_own(app: App, heard: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose document the server refuses, in the middle of a batch."""
    original = MongoDocuments.insert_each

    def insert_each(self: MongoDocuments, collection: str, writes: Sequence[Any]) -> list[bool]:
        if collection == "mails" and any("bad" in str(each.document.get("subject")) for each in writes):
            return [False] * len(writes)
        return original(self, collection, writes)

    def insert(self: MongoDocuments, collection: str, document: dict[str, Any]) -> bool:
        if collection == "mails" and "bad" in str(document.get("subject")):
            raise ValueError("the server refuses it")
        return insert_one(self, collection, document)

    insert_one = MongoDocuments.insert
    monkeypatch.setattr(MongoDocuments, "insert_each", insert_each)
    monkeypatch.setattr(MongoDocuments, "insert", insert)
    work(app, heard, [a_mail(subject=subject) for subject in ("one", "bad", "two")])
    assert app.mails.count("recorded") == 2
    assert [letter.reason for letter in app.dead_letters.recent(app_letters(), 5)] == [
        "ValueError: the server refuses it"
    ]


def app_letters() -> Any:
    """Every letter."""

    return LetterQuery()


def test_batches_of_two_threads_do_each_thing_once(app: App, heard: Listener) -> None:
    raws = [a_mail(subject=f"Printer {n}", sender=f"c{n}@customer.example") for n in range(40)]
    app.intake.hand_over([RawMail(raw, "support") for raw in raws * 2])
    stop = threading.Event()
    workers = [Worker(build(app), runner.worker_dependencies(app)) for build in STAGES.values() for _ in range(2)]
    threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in workers]
    for thread in threads:
        thread.start()
    assert app.broker.join(120)
    stop.set()
    for thread in threads:
        thread.join()
    assert app.mails.count("recorded") == app.mails.count() == 40
    serials = [record.serial for record in app.records.list(100)]
    assert len(set(serials)) == len(serials) == 40
