"""Several at once: the same mail to two writers, the same record from many mails, every message three times."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from services import pipeline, runner
from services.queues import QUEUES
from services.record_writer import stage as writer_stage
from shared.app import App, Location
from shared.clock import SystemClock
from shared.contracts.events import SenderMatched
from shared.embedded.broker import EmbeddedBroker
from shared.embedded.file import FILE_NAME
from shared.intake import RawMail
from shared.runtime.envelope import unpack
from shared.runtime.outcome import Emit, Outcome
from shared.runtime.stage import Stage
from shared.runtime.worker import Worker
from shared.store import configuration as configuration_store
from shared.store.documents import Documents
from shared.store.indexes import INDEXES
from tests.harness import mails
from tests.harness.bench import FORMS, Bench, Scene
from tests.harness.ledger import Breach
from tests.harness.mails import Sent, many, replies
from tests.servers.documents import Place
from tests.servers.presence import PATIENCE_SECONDS

pytestmark = pytest.mark.timeout(1200)
"""Seconds: many runs, and a machine may be busy."""


@pytest.fixture
def two(place: Place, tmp_path: object) -> Iterator[tuple[App, App]]:
    """Two processes' worth of desk on one store of each kind; the broker is a local file of its own."""
    folder = tmp_path / "broker"  # type: ignore[operator]
    apps = [App(place.open(), EmbeddedBroker(folder, QUEUES), SystemClock(), Location(folder)) for _ in range(2)]
    apps[0].documents.ensure(INDEXES)
    apps[0].broker.declare()
    configuration_store.apply(apps[0].documents, mails.configuration(), prune=True)
    yield apps[0], apps[1]
    for app in apps:
        app.close()


def matched(app: App, sent: Sequence[Sent]) -> list[SenderMatched]:
    """What the writer gets to see of these mails."""
    app.intake.hand_over([RawMail(each.raw) for each in sent])
    for name in ("parser", "filter", "sender-matcher"):
        worker = Worker(pipeline.STAGES[name](app), runner.worker_dependencies(app))
        while worker.step(timeout=0):
            pass
        worker.consumer.close()
    consumer = app.broker.consumer("record-writer", len(sent))
    events: list[SenderMatched] = []
    while deliveries := consumer.take(0):
        events += [unpack(each.message, app.documents) for each in deliveries]  # type: ignore[misc]
        for each in deliveries:
            consumer.settle(each)
    consumer.close()
    return events


def at_once(stages: Sequence[Stage], event: SenderMatched, barrier: threading.Barrier) -> list[Outcome]:
    """Each stage handles the event at the same moment."""

    def handle(stage: Stage) -> Outcome:
        barrier.wait(PATIENCE_SECONDS)
        return stage.handle(event)

    with ThreadPoolExecutor(len(stages)) as pool:
        return list(pool.map(handle, stages))


def test_two_writers_given_the_same_mail_at_once_make_one_record(two: tuple[App, App]) -> None:
    stages = [writer_stage.build(app) for app in two]
    barrier = threading.Barrier(2)
    sent = many(100)
    for event in matched(two[0], sent):
        for outcome in at_once(stages, event, barrier):
            assert isinstance(outcome, Emit)
    store = two[0].documents
    assert {mail["outcome"] for mail in store.find("mails", {})} == {"recorded"}
    assert store.count("records", {}) == store.count("activities", {}) == len(sent)
    assert store.count("history", {}) == len(sent)
    assert [record["pending"] for record in store.find("records", {})] == [[]] * len(sent)
    assert max(Counter(record["number"] for record in store.find("records", {})).values()) == 1


def test_two_writers_given_the_same_reply_at_once_update_once(two: tuple[App, App]) -> None:
    stages = [writer_stage.build(app) for app in two]
    barrier = threading.Barrier(2)
    (parent,) = matched(two[0], mails.seed()[:1])
    stages[0].handle(parent)
    events = matched(two[0], replies(20))
    for event in events:
        at_once(stages, event, barrier)
    check_updates(two[0].documents, 20)


def test_twenty_replies_to_one_record_at_once_lose_no_update(two: tuple[App, App]) -> None:
    stages = [writer_stage.build(app) for app in two] * 3
    (parent,) = matched(two[0], mails.seed()[:1])
    stages[0].handle(parent)
    events = matched(two[0], replies(20))
    with ThreadPoolExecutor(len(stages)) as pool:
        handled = [pool.submit(stages[n % len(stages)].handle, event) for n, event in enumerate(events)]
    assert all(isinstance(each.result(), Emit) for each in handled)
    check_updates(two[0].documents, 20)


def check_updates(store: Documents, count: int) -> None:
    """One record, changed so many times, every reply in its activities once."""
    (record,) = store.find("records", {})
    texts = Counter(each["text"].strip() for each in store.find("activities", {"kind": "email"}))
    assert record["version"] == 1 + count
    assert record["pending"] == []
    assert texts == Counter({"It smokes.": 1, **{f"Reply {n}.": 1 for n in range(count)}})


def crowd(scene: Scene, size: int) -> None:
    """Several processes on one folder, until quiet."""
    pids = [scene.start() for _ in range(size)]
    assert [scene.bench.fork_server.wait(pid) for pid in pids] == [0] * size, scene.log()


def triple(scene: Scene) -> None:
    """Every message on the queue three times, as a broker that repeats itself would have it."""
    columns = "queue, held, at, id, type, content_type, correlation_id, headers, body"
    with sqlite3.connect(scene.folder / "data" / FILE_NAME) as db:
        for _ in range(2):
            db.execute(f"INSERT INTO queue({columns}) SELECT DISTINCT {columns} FROM queue")
    db.close()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_three_processes_and_every_message_three_times_do_each_thing_once(bench: Bench, form: dict[str, bool]) -> None:
    """Without the answer to another mail of the load: which of the two is taken first is open between processes."""
    sent = [each for each in mails.mixed() if each.label != "late"]
    alone, together = bench.scene(sent), bench.scene(sent, **form)
    alone.run()
    together.run(until="handed in")
    triple(together)
    crowd(together, 3)
    assert together.breaches(alone.effects()) == []


def updated_together(bench: Bench, form: str, *plants: str) -> list[Breach]:
    """Sixty replies to one record, three processes; what is wrong afterwards."""
    alone = bench.scene(replies(60))
    alone.run()
    together = bench.scene(replies(60), plants=plants, **{form: True})
    together.run(until="handed in")
    crowd(together, 3)
    found = together.breaches(alone.effects())
    return [breach for breach in found if breach.invariant not in ("notifications", "journal")]


@pytest.mark.parametrize("form", ["unbatched", "batched"])
def test_sixty_replies_from_three_processes_lose_no_update(bench: Bench, form: str) -> None:
    """How many are answered is free: the cap on automatic mail looks at what was sent before."""
    assert updated_together(bench, form) == []


def test_a_writer_that_does_not_look_at_the_version_is_caught(bench: Bench) -> None:
    assert {"records"} <= {breach.invariant for breach in updated_together(bench, "unbatched", "no-version-check")}
