"""What a machine does to a desk: random kills, stops, a store that is unavailable, a full disk, a poison.

The embedded default, one or more processes. RabbitMQ has its own module.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.embedded.documents import EmbeddedDocuments
from shared.embedded.file import FILE_NAME
from tests.builders import a_mail
from tests.harness.bench import ROOT, Bench, Scene
from tests.harness.mails import Sent, many
from tests.harness.real import corpus
from tests.servers.presence import PATIENCE_SECONDS

pytestmark = pytest.mark.timeout(1200)
"""Seconds: many runs, and a machine may be busy."""
MAX_DEAD = 0.01


def eventually(happens: Callable[[], Any], timeout: float = 120.0) -> Any:
    """Poll until the answer is true; what has taken long is asked less often, for the processor is needed elsewhere."""
    start = time.monotonic()
    while not (answer := happens()):
        waited = time.monotonic() - start
        assert waited < timeout, "it did not happen in time"
        time.sleep(max(0.01, waited / 50))
    return answer


@dataclass(frozen=True, slots=True)
class Watcher:
    """Looks into the store of a running desk."""

    store: EmbeddedDocuments

    def finished(self) -> int:
        """How many mails have their outcome."""
        return self.store.count("mails", {}) - self.store.count("mails", {"outcome": None})


@contextmanager
def watching(scene: Scene) -> Iterator[Watcher]:
    """A look into the store while others work on it."""
    with closing(EmbeddedDocuments(scene.folder / "data")) as store:
        yield Watcher(store)


def end(scene: Scene, pid: int) -> None:
    """An orderly end."""
    os.kill(pid, signal.SIGTERM)
    assert scene.bench.fork_server.wait(pid) == 0, scene.log()


def stopped_at(scene: Scene, boundary: str, **keys: Any) -> int:
    """A process that stands still in the middle of its work, whatever the machine is busy with; its id."""
    pid = scene.start(f"{boundary}:STOP", **keys)
    eventually(lambda: state_of(pid) == "T")
    return pid


def state_of(pid: int) -> str:
    """As `ps` shows it."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


# -- kills


@pytest.mark.parametrize(
    ("seed", "kills"), [(1, 8), *(pytest.param(seed, 40, marks=pytest.mark.slow) for seed in (2, 3, 4))]
)
def test_random_kills_over_real_mails_lose_and_double_nothing(bench: Bench, seed: int, kills: int) -> None:
    sent, chance = corpus(), random.Random(seed)
    scene = bench.scene(sent, seeded=False)
    scene.run(until="handed in")
    with watching(scene) as seen:
        for kill in range(kills):
            pid = scene.start(until="stopped")
            wanted = min(len(sent) * (kill + 1) // (kills + 2), len(sent) - 50)
            eventually(lambda wanted=wanted: seen.finished() >= wanted)
            time.sleep(chance.random() * 0.1)  # when, is chance: that is the point
            os.kill(pid, signal.SIGKILL)
            scene.bench.fork_server.wait(pid)
    scene.run()
    assert scene.breaches() == []
    check_dead(scene, len(sent))
    check_nothing_new(scene)


def check_dead(scene: Scene, count: int) -> None:
    """Few, and told why."""
    with scene.app() as app:
        dead = [(mail["subject"], mail["reason"]) for mail in app.documents.find("mails", {"outcome": "dead"})]
    assert len(dead) <= MAX_DEAD * count, dead


def check_nothing_new(scene: Scene) -> None:
    """The whole set once more adds arrivals, and nothing else."""
    before = scene.effects()
    (scene.folder / "outbox" / "handed-in").unlink()
    scene.run()
    assert scene.breaches(before) == []


def test_a_mail_that_kills_its_worker_dies_alone(bench: Bench) -> None:
    scene = bench.scene(many(100, poison=frozenset({40})), seeded=False, plants=("poison",))
    deaths = 0
    while scene.run() == -signal.SIGKILL:
        deaths += 1
        assert deaths < 10
    assert deaths == 5
    assert scene.breaches() == []


def test_an_orderly_end_in_the_middle_loses_nothing(bench: Bench) -> None:
    scene = bench.scene(many(300), seeded=False)
    scene.run(until="handed in")
    pid = scene.start("worker.settled:400:TERM", until="stopped")
    assert scene.bench.fork_server.wait(pid) == 0, scene.log()
    with watching(scene) as seen:
        assert 0 < seen.finished() < 300
    scene.run()
    assert scene.breaches() == []


def test_the_command_ends_within_ten_seconds_of_a_sigterm_and_loses_nothing(bench: Bench) -> None:
    scene = bench.scene(many(400), seeded=False)
    scene.run(until="handed in")
    argv = [sys.executable, "-m", "services.cli.main", "up", "--data", str(scene.folder / "data")]
    with watching(scene) as seen, (scene.folder / "log").open("ab") as log:
        process = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log)
        try:
            eventually(lambda: seen.finished() > 20)
            process.terminate()
            assert process.wait(10) in (0, -signal.SIGTERM), scene.log()
        finally:
            process.kill()
            process.wait()
    scene.run()
    assert scene.breaches() == []


# -- a worker that does not renew its lease


@pytest.mark.parametrize(
    ("where", "unbatched"),
    [
        ("worker.taken:1", False),
        ("broker.counted:2", False),
        ("broker.settled:1", False),
        ("worker.taken:4", True),
        ("store.committed:4", True),
        ("worker.taken:9", True),
        ("store.committed:9", True),
    ],
)
def test_a_worker_that_wakes_up_behind_its_lease_changes_nothing(bench: Bench, where: str, unbatched: bool) -> None:
    """Where queues and store are one file, those places that lie in no transaction: inside one nobody can overtake."""
    undisturbed, scene = bench.scene(), bench.scene(lease=0.6, unbatched=unbatched)
    undisturbed.run()
    sleeper = stopped_at(scene, where)
    time.sleep(scene.lease)  # else a reply is handled before the sleeper's mail, and its parent is not known yet
    scene.run()
    done = scene.effects()
    os.kill(sleeper, signal.SIGCONT)
    assert scene.bench.fork_server.wait(sleeper) == 0, scene.log()
    assert scene.effects() == done
    assert scene.breaches(undisturbed.effects()) == []


# -- a store that is unavailable


def test_a_store_that_is_unavailable_for_a_while_makes_no_dead_letter(bench: Bench) -> None:
    scene = bench.scene(many(300), seeded=False)
    scene.run(until="handed in")
    with watching(scene) as seen:
        pid = stopped_at(scene, "broker.counted:4", until="stopped", busy=0.1)
        before = seen.finished()
        with locked(scene):
            os.kill(pid, signal.SIGCONT)
            eventually(lambda: "paused" in scene.log())
            time.sleep(1)
            assert seen.finished() == before
        eventually(lambda: seen.finished() == 300)
        end(scene, pid)
    assert scene.breaches() == []


@contextmanager
def locked(scene: Scene) -> Iterator[None]:
    """Somebody else holds the data file's write lock."""
    connection = sqlite3.connect(scene.folder / "data" / FILE_NAME, timeout=PATIENCE_SECONDS, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.rollback()
    connection.close()


def test_a_file_that_may_not_grow_loses_nothing_and_says_so(bench: Bench) -> None:
    scene = bench.scene(many(300), seeded=False)
    scene.run(until="handed in")
    with watching(scene) as seen:
        pid = scene.start(until="stopped", busy=0.5, file_limit=1_500_000)
        eventually(lambda: "paused" in scene.log())
        assert seen.finished() < 300
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        eventually(lambda: seen.finished() == 300)
        end(scene, pid)
    assert "cannot be used" in scene.log()
    assert scene.breaches() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 48 MB, where we may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "postroom", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_loses_nothing_and_recovers(bench: Bench, small_disk: Path) -> None:
    scene = bench.scene(many(300), seeded=False)
    scene.run(until="handed in")
    shutil.move(scene.folder / "data" / FILE_NAME, small_disk)
    (scene.folder / "data").rmdir()
    (scene.folder / "data").symlink_to(small_disk)
    filler = small_disk / "filler"
    with watching(scene) as seen:
        pid = stopped_at(scene, "broker.counted:4", until="stopped", busy=0.5)
        _fill(filler)
        os.kill(pid, signal.SIGCONT)
        eventually(lambda: "paused" in scene.log())
        assert seen.finished() < 300
        filler.unlink()
        eventually(lambda: seen.finished() == 300)
        end(scene, pid)
    assert scene.breaches() == []
    scene.folder.joinpath("data").unlink()


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def test_a_disk_that_is_full_at_intake_is_one_clear_error(bench: Bench) -> None:
    scene = bench.scene(
        [Sent("big", a_mail("x" * 2_000_000, Message_ID="<big@customer.example>"), "recorded")], seeded=False
    )
    pid = scene.start(until="handed in", busy=0.5, file_limit=600_000)
    assert scene.bench.fork_server.wait(pid) == 1
    assert "Unavailable: the data file" in scene.log()
    scene.run()
    assert scene.breaches() == []


# -- sizes


def test_a_mail_of_thirty_megabytes_goes_through_whole(bench: Bench) -> None:
    content = random.Random(3).randbytes(22_000_000)
    big = a_mail("See the film.\n", Message_ID="<film@customer.example>", files=(("film.mp4", "video/mp4", content),))
    scene = bench.scene([Sent("film", big, "recorded")], seeded=False)
    assert len(big) > 29_000_000
    scene.run()
    assert scene.breaches() == []
    with scene.app() as app:
        (activity,) = app.documents.find("activities", {})
        assert app.documents.get_blob(activity["attachments"][0]["sha256"]) == content
    scene.remove()
