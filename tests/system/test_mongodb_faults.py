"""MongoDB killed in the middle of the pipeline, where it hurts most, and started again; the broker is a local file.

The process stands still at a boundary while the server dies, so that no luck is needed to meet it there.
"""

from __future__ import annotations

import os
import signal

import pytest

from shared.store import configuration as configuration_store
from tests.harness import mails
from tests.harness.bench import Bench, Scene
from tests.harness.mails import many
from tests.servers.mongodb import MongoServer
from tests.system.test_faults import end, eventually, stopped_at

MAILS = 30
WHERE = ("worker.settled:50", "writer.claimed:3", "writer.committed:3", "writer.outcome:3")


@pytest.fixture
def scene(bench: Bench, own_mongodb: MongoServer) -> Scene:
    """Mails on intake, nobody at work."""
    made = bench.scene(many(MAILS), seeded=False, store_url=own_mongodb.url)
    with made.app() as app:
        configuration_store.apply(app.documents, mails.configuration(), prune=True)
    made.run(until="handed in")
    return made


@pytest.mark.parametrize(
    "boundary", ["worker.settled:50", "writer.claimed:3", "writer.committed:3", "writer.outcome:3"]
)
def test_a_store_that_crashes_in_the_middle_loses_and_doubles_nothing(
    scene: Scene, own_mongodb: MongoServer, boundary: str
) -> None:
    pid = stopped_at(scene, boundary, until="stopped")
    own_mongodb.kill9()
    os.kill(pid, signal.SIGCONT)
    eventually(lambda: "paused" in scene.log())
    own_mongodb.start()
    with scene.app() as app:
        eventually(lambda: app.documents.count("mails", {"outcome": {"$gte": ""}}) == MAILS)
    end(scene, pid)
    assert scene.breaches() == []
    with scene.app() as app:
        counts = {name: app.documents.count(name, {}) for name in ("records", "activities", "outbox", "dead_letters")}
    assert counts == {"records": MAILS, "activities": MAILS, "outbox": 0, "dead_letters": 0}
