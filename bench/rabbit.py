"""The scaled form, measured: a private RabbitMQ, one process for each stage, and the store that they share.

The store is the embedded one, or a MongoDB: the server at a URL, or a private one, whatever the tests find here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench import content, corpus
from bench.delay import delayed
from bench.processes import POSTROOM, ROOT, Cost, Failed, cpu_of, environment, peak_mb_of, run
from services.pipeline import STAGES
from services.queues import QUEUES
from shared.embedded.documents import EmbeddedDocuments
from shared.lazy_dataclass import dataclass
from shared.mongodb.documents import MongoDocuments
from shared.rabbitmq.broker import RabbitBroker
from shared.runtime.broker import PARKED, RETRY
from shared.store.indexes import INDEXES
from tests.servers.mongodb import running
from tests.servers.rabbitmq import RabbitNode
from tests.servers.rabbitmq_versions import VERSIONS, missing

PATIENCE = 600.0
HOPS = 5000


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. `stages`: CPU seconds of each stage's process for the whole load."""

    mails: int
    seconds: float
    publish: Cost
    stages: Mapping[str, float]
    peak_mb: float
    hop: Mapping[str, float]
    content: content.Content

    @property
    def cost(self) -> Cost:
        """All of our processes; RabbitMQ's own is not in it."""
        return Cost(self.seconds, self.publish.cpu + sum(self.stages.values()), max(self.peak_mb, self.publish.peak_mb))


@contextmanager
def node(folder: Path) -> Iterator[RabbitNode]:
    """A RabbitMQ of our own, the oldest that is installed, gone afterwards."""
    version = next((each for each in VERSIONS if not missing(each)), VERSIONS[0])
    if reason := missing(version):
        raise Failed(reason)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server = RabbitNode(folder, version=version)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mongodb(url: str, folder: Path, delay_seconds: float) -> Iterator[str]:
    """The URL of a MongoDB; for an empty `url` one of our own, gone afterwards. Each answer comes so much later."""
    with ExitStack() as stack:
        if not url:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            url = stack.enter_context(running(folder)).url
        yield stack.enter_context(delayed(url, delay_seconds))


def measure(
    load: Path, work: Path, server: RabbitNode, number: int, base: Path | None, store_url: str | None = None
) -> Run:
    """One run in a fresh vhost, on a fresh copy of `base` or in a fresh database at `store_url`."""
    data, vhost = work / "data", f"bench{number}"
    shutil.rmtree(data, ignore_errors=True)
    if base is not None:
        shutil.copytree(base, data)
    server.add_vhost(vhost)
    env = environment(POSTROOM_DATA=str(data), POSTROOM_BROKER_URL=server.url(vhost))
    if store_url is not None:
        store_url = urlsplit(store_url)._replace(path=f"/{vhost}_{uuid.uuid4().hex[:8]}").geturl()
        env["POSTROOM_STORE_URL"] = store_url
    run(*POSTROOM, "queues", env=env)  # the store and the queues are there before the clock starts
    rows, broker = corpus.manifest(load), RabbitBroker(server.url(vhost), QUEUES)
    store = EmbeddedDocuments(data) if store_url is None else MongoDocuments(store_url)
    store.ensure(INDEXES)
    try:
        with _workers(env, work / "logs") as workers:
            _until(lambda: all(each.consumers for each in broker.depths() if each.name not in {PARKED, RETRY}))
            before = {stage: cpu_of(process.pid) for stage, process in workers.items()}
            already, began = store.count("mails", {"outcome": "recorded"}), time.perf_counter()
            publish = run(*POSTROOM, "publish", "--inbox", "support", str(load), env=env)
            _until(lambda: store.count("mails", {"outcome": {"$gte": ""}}) - already >= len(rows))
            seconds = time.perf_counter() - began
            stages = {stage: cpu_of(process.pid) - before[stage] for stage, process in workers.items()}
            peak = max(peak_mb_of(process.pid) for process in workers.values())
        found = content.check(store, rows)
    finally:
        store.close()
        broker.close()
    hop = _hop(server.url(vhost))
    server.remove_vhost(vhost)
    return Run(len(rows), seconds, publish, stages, peak, hop, found)


@contextmanager
def _workers(env: dict[str, str], logs: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    logs.mkdir(parents=True, exist_ok=True)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for stage in STAGES:
            with (logs / f"{stage}.log").open("wb") as log:
                started[stage] = subprocess.Popen(
                    [*POSTROOM, "worker", stage], cwd=ROOT, env=env, stdout=log, stderr=log
                )
        yield started
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait(60)


def _hop(url: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.hop", url, str(HOPS)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise Failed("the workers did not finish in time")
        time.sleep(0.1)
