"""The embedded default, measured: `publish` and `up --once`, each a whole process, timed together."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from bench import content, corpus
from bench.processes import POSTROOM, Cost, environment, run
from shared.embedded.documents import EmbeddedDocuments
from shared.lazy_dataclass import dataclass
from shared.store.indexes import INDEXES

PRELOAD_SEED = 7


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement."""

    mails: int
    publish: Cost
    work: Cost
    content: content.Content

    @property
    def cost(self) -> Cost:
        """Both processes."""
        return self.publish + self.work


def snapshot(work: Path, count: int) -> Path | None:
    """A data folder with so many records, made once and kept; None when there are none."""
    if not count:
        return None
    kept, making = work / f"existing-{count}", work / f"existing-{count}.making"
    if not kept.exists():
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        run(sys.executable, "-m", "bench.preload", str(making), str(count), str(PRELOAD_SEED), env=environment())
        making.rename(kept)
    return kept


def measure(load: Path, work: Path, base: Path | None) -> Run:
    """One run on a fresh copy of `base`."""
    data = work / "data"
    shutil.rmtree(data, ignore_errors=True)
    if base is not None:
        shutil.copytree(base, data)
    os.sync()  # writing the copy back must not fall into the measured time
    rows, env = corpus.manifest(load), environment(POSTROOM_DATA=str(data))
    publish = run(*POSTROOM, "publish", "--inbox", "support", str(load), env=env)
    working = run(*POSTROOM, "up", "--once", env=env)
    store = EmbeddedDocuments(data)
    store.ensure(INDEXES)  # a store uses only indexes that were declared
    try:
        return Run(len(rows), publish, working, content.check(store, rows))
    finally:
        store.close()
