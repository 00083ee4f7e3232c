"""Where crash tests run: a seeded desk, copied for each run; children that are killed and started again.

The fixture `bench` (one for a session) forks its children from one process that has imported everything, so that a
run costs a fraction of a second. Folders lie in memory where the machine has such a place: a SIGKILL says nothing
about fsync anyway.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from shared.app import App
from shared.embedded.documents import EmbeddedDocuments
from shared.store import configuration as configuration_store
from tests.harness import ledger, mails
from tests.harness.child import Job, open_app
from tests.harness.ledger import Breach, Effects
from tests.harness.mails import Sent

ROOT = Path(__file__).resolve().parents[2]
MEMORY = Path("/dev/shm")
FORMS: Final[dict[str, dict[str, bool]]] = {
    "a commit for each batch": {},
    "a commit for each write": {"unbatched": True},
    "phases of many writes": {"batched": True},
}
"""How the embedded store is run: as it is, and as stores are whose writes are durable one by one."""
DEADLINE = 150.0
"""Seconds for a run, beyond what a child waits for by itself."""


class ForkServer:
    """The process that forks children."""

    def __init__(self) -> None:
        argv = [sys.executable, "-m", "tests.harness.fork_server"]
        self.process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, job: Job) -> int:
        """A child; its process id."""
        return int(self._ask({"start": asdict(job)}))

    def wait(self, pid: int, seconds: float = DEADLINE) -> int | None:
        """How it ended; None when it has not."""
        code: int | None = self._ask({"wait": [pid, seconds]})
        return code

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End it, and with it the children that a failed test has left behind."""
        self.process.communicate()


@dataclass
class Scene:
    """One desk and one sender, for as many processes as it takes."""

    bench: Bench
    folder: Path
    sent: Sequence[Sent]
    broker_url: str | None = None
    store_url: str | None = None
    unbatched: bool = False
    batched: bool = False
    plants: tuple[str, ...] = ()
    lease: float = 60.0
    fresh_parser: bool = False
    environ: dict[str, str] = field(default_factory=dict)

    def job(self, crash: str | None = None, until: str = "quiet", **keys: Any) -> Job:
        """The next process's job."""
        environ = {**self.environ, **({"POSTROOM_CRASH_AT": crash} if crash else {})}
        return Job(
            data=str(self.folder / "data"), log=str(self.folder / "log"), outbox=str(self.folder / "outbox"),
            broker_url=self.broker_url, store_url=self.store_url, unbatched=self.unbatched, batched=self.batched,
            lease=self.lease, until=until, environ=environ, plants=self.plants, fresh_parser=self.fresh_parser, **keys,
        )  # fmt: skip

    def start(self, crash: str | None = None, until: str = "quiet", **keys: Any) -> int:
        """A process; its id."""
        return self.bench.fork_server.start(self.job(crash, until, **keys))

    def run(self, crash: str | None = None, *, within: float = DEADLINE, **keys: Any) -> int:
        """A process, until it ends: 0, or minus the signal that ended it. With a fault planted it may find no end."""
        pid = self.start(crash, **keys)
        code = self.bench.fork_server.wait(pid, within)
        if code is None and self.plants:
            os.kill(pid, signal.SIGKILL)
            code = self.bench.fork_server.wait(pid)
        elif code is None:
            os.kill(pid, signal.SIGABRT)  # faulthandler tells where it hangs
            self.bench.fork_server.wait(pid)
        assert code in (0, -signal.SIGKILL), self.log()
        return code

    def log(self) -> str:
        """What its processes have said; the end of it."""
        return (self.folder / "log").read_text()[-6000:]

    def boundaries(self) -> list[str]:
        """Every boundary that one undisturbed run passes, as `NAME:N`."""
        listing = self.folder / "steps"
        self.environ["POSTROOM_STEPS"] = str(listing)
        assert self.run() == 0
        del self.environ["POSTROOM_STEPS"]
        times: Counter[str] = Counter()
        found = []
        for name in listing.read_text().split():
            times[name] += 1
            found.append(f"{name}:{times[name]}")
        return found

    @contextlib.contextmanager
    def app(self) -> Iterator[App]:
        """The desk, opened here, to look at it."""
        app = open_app(self.job())
        try:
            yield app
        finally:
            app.close()

    def hand_in_later(self, *sent: Sent) -> None:
        """More for the next process to hand in."""
        _write(self.folder / "outbox", sent, first=len(self.sent))
        self.sent = [*self.sent, *sent]

    def breaches(self, undisturbed: Effects | None = None) -> list[Breach]:
        """What is wrong with it, now that it rests."""
        with self.app() as app:
            return ledger.breaches(app, self.sent, undisturbed)

    def effects(self) -> Effects:
        """What was done."""
        with self.app() as app:
            return ledger.effects(app.documents)

    def remove(self) -> None:
        """Free the memory."""
        shutil.rmtree(self.folder)


class Bench:
    """Makes scenes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fork_server = ForkServer()
        self._seeded = False

    def scene(self, sent: Sequence[Sent] | None = None, *, seeded: bool = True, **keys: Any) -> Scene:
        """A fresh desk with the mixed history, or with the configuration alone; `sent` are still to be handed in."""
        chosen = list(mails.mixed() if sent is None else sent)
        folder = self.folder / uuid.uuid4().hex[:8]
        shutil.copytree(self._seed() if seeded else self._bare(), folder / "data")
        _write(folder / "outbox", chosen)
        return Scene(self, folder, [*(mails.seed() if seeded else []), *chosen], **keys)

    def _bare(self) -> Path:
        place = self.folder / "bare"
        if not place.exists():
            app = open_app(Job(data=str(place), log=""))
            configuration_store.apply(app.documents, mails.configuration(), prune=True)
            app.close()
        return place

    def _seed(self) -> Path:
        place = self.folder / "seed"
        if not self._seeded:
            scene = self.scene(mails.seed(), seeded=False)
            assert scene.run() == 0, scene.log()
            _close_one(scene.folder / "data")
            shutil.move(scene.folder / "data", place)
            self._seeded = True
        return place

    def close(self) -> None:
        """End the forking process."""
        self.fork_server.close()


def _write(outbox: Path, sent: Sequence[Sent], first: int = 0) -> None:
    outbox.mkdir(parents=True, exist_ok=True)
    for place, each in enumerate(sent, first):
        for time in range(each.times):
            (outbox / f"{place + 1000 * time:05}~{each.inbox or ''}~{each.label}.eml").write_bytes(each.raw)


def _close_one(data: Path) -> None:
    store = EmbeddedDocuments(data)
    assert store.update("records", {"subject": "Drains"}, {"$set": {"status": "Closed"}})
    store.close()


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """For all crash tests of a session."""
    parent = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="postroom-crash-", dir=parent) as folder:
        made = Bench(Path(folder))
        yield made
        made.close()
