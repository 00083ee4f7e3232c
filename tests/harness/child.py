"""One process of a desk under test: opens it, hands in what has not been handed in, works until all is quiet.

Jobs are plain JSON. What the sender has handed in for certain stands in a file of its own, as a fetcher's ledger
would have it: a crash in between makes it hand in the same mail once more.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import shared.embedded.file
from services import pipeline, runner
from services.queues import QUEUES
from services.schedule.source import ScheduleSource
from shared.app import App, Location
from shared.clock import FixedClock, SystemClock
from shared.embedded.broker import EmbeddedBroker, EmbeddedConsumer
from shared.embedded.documents import EmbeddedDocuments
from shared.intake import RawMail
from shared.runtime import crash_points as steps
from shared.runtime.broker import Broker
from shared.runtime.crash_points import crash_point
from shared.runtime.worker import Worker
from shared.store.arrivals import HANDED_IN
from shared.store.batch import batched
from shared.store.documents import Change, Document, Documents, Filter
from shared.store.indexes import INDEXES
from tests.harness import forked_parser, plants
from tests.harness.one_by_one import OneByOne

TIER_SCALE = 0.02
"""A retry tier of 5 s is 0.1 s."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a child is to do. `outbox` is a folder of files `N~INBOX~LABEL.eml`, handed in by name.

    Seconds: `lease`; `patience`, how long to wait for quiet on RabbitMQ; `busy`, how long for a locked data file.
    `file_limit`, `memory_limit`: bytes beyond which no file, or the process itself, may grow. `stages`: the workers of
    these alone, as containers have it. `at`: what a clock that stands shows, in ISO format; the app is opened as
    commands open it. `fresh_parser`: the parser process starts as the product starts it, not as a fork.
    """

    data: str
    log: str
    outbox: str | None = None
    broker_url: str | None = None
    store_url: str | None = None
    unbatched: bool = False
    batched: bool = False
    lease: float = 60.0
    until: str = "quiet"
    environ: Mapping[str, str] = field(default_factory=dict)
    plants: tuple[str, ...] = ()
    patience: float = 90.0
    busy: float = 30.0
    file_limit: int = 0
    memory_limit: int = 0
    stages: tuple[str, ...] = ()
    at: str = ""
    fresh_parser: bool = False


class Unbatched(EmbeddedDocuments):
    """The embedded store as MongoDB is: each write durable by itself, and a boundary of its own."""

    def batch(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def insert(self, collection: str, document: Document) -> bool:
        return _marked(collection, super().insert(collection, document))

    def update(self, collection: str, where: Filter, change: Change) -> bool:
        return _marked(collection, super().update(collection, where, change))

    def upsert(self, collection: str, id_: str, change: Change) -> Document:
        return _marked(collection, super().upsert(collection, id_, change))

    def put_blob(self, content: bytes, sha256: str | None = None) -> str:
        return _marked("blobs", super().put_blob(content, sha256))


class Phases(OneByOne, Unbatched):
    """The embedded store as it is for batches on MongoDB: many writes a round, each durable by itself."""


def _marked(collection: str, answer: Any) -> Any:
    crash_point(f"write.{collection}")
    return answer


def open_app(job: Job) -> App:
    """The composition root with quick tiers, short leases, and the store that the job asks for."""
    if job.at:
        place = Location(Path(job.data), job.broker_url, job.store_url)
        return App.open(place, QUEUES, FixedClock(datetime.fromisoformat(job.at)))
    documents = open_store(job)
    documents.ensure(INDEXES)
    broker = open_broker(job, documents)
    broker.declare()
    return App(documents, broker, SystemClock(), Location(Path(job.data), job.broker_url, job.store_url))


def open_store(job: Job) -> Documents:
    """In the folder, or on the server."""
    if job.batched:
        return batched(Phases(Path(job.data)))
    if job.store_url is None:
        return (Unbatched if job.unbatched else EmbeddedDocuments)(Path(job.data))
    from shared.mongodb.documents import MongoDocuments

    return batched(MongoDocuments(job.store_url))


def open_broker(job: Job, documents: Documents) -> Broker:
    """In the store's own file, on the folder, or on the node."""
    if job.broker_url is None:
        apart = job.unbatched or plants.queues_apart or not isinstance(documents, EmbeddedDocuments)
        file = Path(job.data) if apart else documents.file
        return EmbeddedBroker(file, QUEUES, lease_seconds=job.lease, tier_scale=TIER_SCALE)
    from shared.rabbitmq.broker import RabbitBroker
    from shared.rabbitmq.session import Timing

    timing = Timing(heartbeat=10, connect=20.0, confirm=60.0)
    return RabbitBroker(job.broker_url, QUEUES, tier_scale=TIER_SCALE, timing=timing)


def run(job: Job) -> None:
    """The job, in a process of its own; ends it."""
    descriptor = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    faulthandler.enable()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s %(reason)s", defaults={"reason": ""}))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    shared.embedded.file.BUSY_SECONDS = job.busy
    if job.file_limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.file_limit, resource.RLIM_INFINITY))
    if job.memory_limit:
        resource.setrlimit(resource.RLIMIT_AS, (job.memory_limit, job.memory_limit))
    if job.batched:
        take_whole_batches()
    steps.watch(job.environ)
    if not job.fresh_parser:
        forked_parser.use()
    plants.plant(job.plants)
    app = open_app(job)
    plants.after_opening(app, job.plants)
    if job.outbox:
        hand_in(app, Path(job.outbox))
    WORK[job.until](app, job)
    app.close()


def take_whole_batches() -> None:
    """Take as many mails at once as a worker may, from the first one on and from the parser on."""

    def init(self: EmbeddedConsumer, broker: EmbeddedBroker, queue: str, prefetch: int) -> None:
        original(self, broker, queue, prefetch)
        self._width = prefetch

    original = EmbeddedConsumer.__init__
    EmbeddedConsumer.__init__ = init  # type: ignore[method-assign]
    runner.drain_backlog = lambda *_: None


def hand_in(app: App, outbox: Path) -> None:
    """Each mail that the sender does not know to be handed in yet."""
    done = outbox / "handed-in"
    known = set(done.read_text().splitlines()) if done.exists() else set()
    for file in sorted(outbox.glob("*.eml")):
        if file.name not in known:
            inbox = file.name.split("~")[1]
            app.intake.hand_over([RawMail(file.read_bytes(), inbox or None)])
            with done.open("a") as list_:
                list_.write(f"{file.name}\n")


def until_quiet(app: App, job: Job) -> None:
    """All stages, as `postroom up --once` on the embedded broker, and as `up` on RabbitMQ."""
    if job.broker_url is None:
        runner.run_all(app, threading.Event(), once=True, sources=False, processes=2)
        return
    deadline = time.monotonic() + job.patience
    with working(app):
        while not (app.broker.join(1) and accounted_for(app)) and time.monotonic() < deadline:
            time.sleep(0.02)


def accounted_for(app: App) -> bool:
    """Nothing is on its way: what a killed process held comes back to its queue a moment later."""
    return not app.documents.count("mails", {"outcome": None}) and not app.documents.count(
        "arrivals", {"state": HANDED_IN}
    )


def until_stopped(app: App, job: Job) -> None:
    """As `postroom up`: ends by a signal, in order for SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if job.stages:
        work_apart(app, job.stages, stop)
    else:
        runner.run_all(app, stop, sources=False, processes=2)


def work_apart(app: App, stages: Sequence[str], stop: threading.Event) -> None:
    """One thread for each stage's worker."""
    workers = [Worker(pipeline.STAGES[name](app), runner.worker_dependencies(app)) for name in stages]
    threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def until_done(app: App, _: Job) -> None:
    """What is due by the clock, and all stages until they are quiet, as `postroom up --once`."""
    ScheduleSource(app).once()
    runner.run_all(app, threading.Event(), once=True, sources=False)


def only_hand_in(app: App, job: Job) -> None:
    """Nobody works."""


WORK: dict[str, Callable[[App, Job], None]] = {
    "quiet": until_quiet, "stopped": until_stopped, "handed in": only_hand_in, "done": until_done,
}  # fmt: skip


@contextlib.contextmanager
def working(app: App) -> Iterator[None]:
    """All stages at work in a thread."""
    stop, failed = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            runner.run_all(app, stop, sources=False, processes=2)
        except BaseException as error:  # told to the main thread
            failed.append(error)

    thread = threading.Thread(target=work, name="all stages")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]


def eventually(happens: Callable[[], Any], timeout: float) -> Any:
    """Poll until the answer is true."""
    deadline = time.monotonic() + timeout
    while not (answer := happens()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return answer
