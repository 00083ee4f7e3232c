"""Things done again, or too late: what a worker gives back, and what the writer finds already done."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services import runner
from services.queues import QUEUES
from services.record_writer import stage as writer_stage
from shared.contracts.errors import Unavailable
from shared.contracts.events import IncidentWanted
from shared.embedded.broker import EmbeddedBroker
from shared.embedded.file import FILE_NAME, LocalFile
from shared.runtime.broker import Delivery, Message, Unroutable
from shared.runtime.observe import JournalWriter
from shared.runtime.outcome import Emit
from shared.runtime.stage import Stage
from shared.runtime.worker import Worker, WorkerDependencies, close_consumers
from tests.builders import a_configuration, a_mail, an_analyst, an_inbox
from tests.desk import Desk
from tests.servers.presence import PATIENCE_SECONDS

# -- giving back


def test_what_could_not_be_given_back_is_given_back_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.embedded.file.BUSY_SECONDS", 0.05)
    broker = EmbeddedBroker(tmp_path, QUEUES)
    broker.declare()
    broker.publish([Message("a", "intake", b"")])
    consumer = broker.consumer("intake", 1)
    (delivery,) = consumer.take(1)
    lock = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    consumer.give_back(delivery)
    lock.rollback()
    lock.close()
    (again,) = consumer.take(1)
    assert again.count == 0
    broker.close()


@dataclass
class Consumer:
    """Fails at the second settlement."""

    error: Exception
    settled: list[object] = field(default_factory=list)
    given_back: list[object] = field(default_factory=list)

    def take(self, timeout: float) -> Sequence[Delivery]:
        return [Delivery(Message(f"m{n}", "intake", b""), "intake", 0, n) for n in range(4)]

    def settle(self, delivery: Delivery, then: Sequence[Message] = ()) -> None:
        if len(self.settled) == 1:
            raise self.error
        self.settled.append(delivery.tag)

    def give_back(self, delivery: Delivery) -> None:
        self.given_back.append(delivery.tag)


@pytest.mark.parametrize("error", [Unavailable("away"), Unroutable("no queue")], ids=["away", "unroutable"])
def test_what_cannot_be_settled_goes_back_with_all_behind_it(desk: Desk, error: Exception) -> None:
    consumer = Consumer(error)
    dependencies: WorkerDependencies = runner.worker_dependencies(desk.app)
    worker = Worker(Stage("idle", "filter", lambda _: Emit(), lambda message: message), dependencies)
    worker.consumer.close()
    worker.consumer = consumer  # type: ignore[assignment]
    with pytest.raises(type(error)):
        worker.step(0)
    assert (consumer.settled, consumer.given_back) == ([0], [1, 2, 3])


def break_down(*_: object) -> None:
    """A bug of ours."""
    raise ValueError("no such thing")


@pytest.mark.parametrize(
    "breaks", [(JournalWriter, "decided"), (EmbeddedBroker, "announce")], ids=["journal", "announce"]
)
def test_a_bug_in_what_only_tells_others_stops_no_mail(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, breaks: tuple[type, str]
) -> None:
    """Else the worker would end, start again, and end again, for ever and without a dead letter."""
    monkeypatch.setattr(*breaks, break_down)
    dependencies = runner.worker_dependencies(desk.app)
    news = Message("n", "record.created", b"")
    stage = Stage("writer", "record-writer", lambda _: Emit((IncidentWanted("m", "", "", "", ""),)), lambda m: m)
    desk.app.broker.publish([Message("a", "record-writer", b"")])
    worker = Worker(stage, replace(dependencies, pack=lambda *_: [news]))
    assert worker.step(1) == 1
    assert desk.app.broker.in_flight() == 0
    assert "no such thing" in caplog.text


@dataclass
class Backlog(Consumer):
    """Hands out one at a time what was handed out so often before, and waits for no more."""

    counts: list[int] = field(default_factory=list)

    def take(self, timeout: float) -> Sequence[Delivery]:
        assert self.counts, "a take from a queue that is empty would wait"
        return [Delivery(Message("m", "filter", b""), "filter", self.counts.pop(0), len(self.counts))]

    def settle(self, delivery: Delivery, then: Sequence[Message] = ()) -> None:
        self.settled.append(delivery.count)

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("counts", "most", "settled"),
    [([1, 2, 0, 0], 4, [1, 2, 0]), ([1, 1], 2, [1, 1]), ([0, 1], 2, [0])],
    ids=["up to an ordinary one", "as many as there are", "after an orderly end"],
)
def test_a_backlog_is_processed_without_waiting_for_more(
    desk: Desk, counts: list[int], most: int, settled: list[int]
) -> None:
    consumer = Backlog(Unavailable("away"), counts=counts)
    worker = Worker(
        Stage("idle", "filter", lambda _: Emit(), lambda message: message), runner.worker_dependencies(desk.app)
    )
    worker.consumer = consumer  # type: ignore[assignment]
    worker.drain_backlog(most, 60, threading.Event())
    assert consumer.settled == settled


def test_consumers_leave_all_at_once() -> None:
    """Five that wait for a frozen broker one after the other would be killed before they are done."""
    together = threading.Barrier(5)
    consumers: Any = [SimpleNamespace(close=lambda: together.wait(PATIENCE_SECONDS)) for _ in range(5)]
    close_consumers(consumers)
    assert not together.broken


def test_a_commit_that_fails_leaves_the_file_usable(tmp_path: Path) -> None:
    file = LocalFile(tmp_path)
    with file.writing() as db:
        db.execute("CREATE TABLE parent(id INTEGER PRIMARY KEY)")
        db.execute("CREATE TABLE child(id REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)")
    file.connection.execute("PRAGMA foreign_keys=ON")
    with pytest.raises(sqlite3.IntegrityError), file.writing() as db:
        db.execute("INSERT INTO child VALUES(1)")
    with file.writing() as db:
        db.execute("INSERT INTO parent VALUES(1)")
    file.close()


# -- the writer, once more


def problems(desk: Desk) -> None:
    """An inbox that reads the body language."""
    inbox = an_inbox("problems", processor="problem", record_marker="#####", field_separator=":")
    desk.configure(a_configuration(inbox, an_analyst()))


def test_two_parts_of_a_mail_about_one_record_are_both_written(desk: Desk) -> None:
    problems(desk)
    desk.receive(a_mail("Summary: disk\n", sender="ann@example.com"), inbox="problems")
    text = "ProblemNumber: PRB1\nSummary: one\n#####\nProblemNumber: PRB1\nImpact: high\n"
    (mail,) = desk.receive(a_mail(text, sender="ann@example.com"), inbox="problems")
    record = desk.record("problem")
    assert {name: record["fields"][name] for name in ("Summary", "Impact")} == {"Summary": "one", "Impact": "high"}
    assert (record["version"], record["pending"], len(mail["records"])) == (3, [], 1)
    assert len(desk.activities(record)) == 3


def test_a_record_that_stays_closed_keeps_no_entry_of_the_mail(desk: Desk) -> None:
    desk.receive(a_mail(Message_ID="<one@customer.example>"))
    desk.store.update("records", {}, {"$set": {"status": "Closed"}})
    (mail,) = desk.receive(a_mail("and?\n", In_Reply_To="<one@customer.example>"))
    assert (mail["outcome"], desk.record()["pending"]) == ("rejected", [])


def test_an_incident_on_error_that_is_asked_for_twice_keeps_its_number(desk: Desk) -> None:
    (mail,) = desk.receive(a_mail(), inbox="nowhere")
    (letter,) = desk.dead_letters()
    writer = writer_stage.build(desk.app)
    events: Any = writer.handle(IncidentWanted(mail["_id"], "nowhere", letter["_id"], "parser", letter["reason"]))
    record = desk.record("incident")
    assert [event.number for event in events.events] == [record["number"]]
    assert desk.mails()[0]["records"] == [{"id": record["_id"], "type": "incident", "number": record["number"]}]
    assert desk.dead_letters()[0]["incident"] == record["number"]


def test_a_mail_that_came_twice_and_cannot_be_handled_is_one_dead_letter(desk: Desk) -> None:
    raw = a_mail()
    desk.hand_in(raw, raw, inbox="nowhere")
    desk.work()
    assert (len(desk.dead_letters()), len(desk.records("incident"))) == (1, 1)
