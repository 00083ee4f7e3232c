"""Ten thousand mails while a process is killed each second: `python -m bench.kills [--rabbitmq]`.

Embedded: `postroom up`, killed with the processes that read ahead. RabbitMQ: one process for each stage on a private
node, of which one, in turn, is killed. None is asked to stop; what was killed is started again at once. A process has a
second from the first outcome on, however long its start takes. At the end every mail must have its one outcome, its
text once in one record, and a reply be on its parent's record. Prints one object of JSON; exit code 1 says that
something is lost, doubled or misplaced.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

from bench import content, corpus, rabbit
from bench.processes import POSTROOM, ROOT, environment, run
from services.pipeline import STAGES
from shared.embedded.documents import EmbeddedDocuments
from shared.store.indexes import INDEXES

EACH_SECONDS = 1.0
LONGEST_SECONDS = 30.0
"""What has brought no mail to its outcome by then is killed all the same."""
PATIENCE_SECONDS = 3600.0
ENDED: Mapping[str, Any] = {"outcome": {"$gte": ""}}


def main() -> int:
    """1 when an effect is missing, doubled or in another place."""
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--mails", type=int, default=10_000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=20261127, help="of the mails (%(default)s)")
    parser.add_argument("--rabbitmq", action="store_true", help="RabbitMQ and a process for each stage instead")
    parser.add_argument("--work", type=Path, default=Path("bench/work"), help="for data (%(default)s)")
    given = parser.parse_args()
    work = given.work.absolute() / ("kills-rabbitmq" if given.rabbitmq else "kills")
    load = corpus.written(
        given.work.absolute() / f"small-{given.seed}-{given.mails}", given.seed, given.mails, corpus.SMALL
    )
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with _form(work, on_rabbitmq=given.rabbitmq) as (env, commands):
        found = _measured(load, work, env, commands)
    sys.stdout.write(json.dumps({"form": "rabbitmq" if given.rabbitmq else "embedded", **found}) + "\n")
    return 1 if found["problems"] else 0


@contextmanager
def _form(work: Path, *, on_rabbitmq: bool) -> Iterator[tuple[dict[str, str], Sequence[Sequence[str]]]]:
    """The environment, and the commands of the processes that run, one of which is killed at a time."""
    env = environment(POSTROOM_DATA=str(work / "data"))
    if not on_rabbitmq:
        yield env, [[*POSTROOM, "up"]]
        return
    with rabbit.node(work / "rabbitmq") as server:
        server.add_vhost("kills")
        env["POSTROOM_BROKER_URL"] = server.url("kills")
        yield env, [[*POSTROOM, "worker", stage] for stage in STAGES]


def _measured(load: Path, work: Path, env: dict[str, str], commands: Sequence[Sequence[str]]) -> dict[str, Any]:
    rows = corpus.manifest(load)
    run(*POSTROOM, "publish", "--inbox", "support", str(load), env=env)
    store = EmbeddedDocuments(work / "data")
    store.ensure(INDEXES)
    began = time.monotonic()
    try:
        kills = _killed(store, len(rows), work / "log", env, commands)
        return {
            "mails": len(rows),
            "kills": kills,
            "seconds": round(time.monotonic() - began, 1),
            "problems": [*content.check(store, rows).problems, *_doubled(store, rows)],
        }
    finally:
        store.close()


def _killed(
    store: EmbeddedDocuments, mails: int, log: Path, env: dict[str, str], commands: Sequence[Sequence[str]]
) -> int:
    """Run until every mail has its outcome, and a moment longer, for what follows from it; how many kills."""
    kills, deadline = 0, time.monotonic() + PATIENCE_SECONDS
    with log.open("wb") as lines:

        def start(command: Sequence[str]) -> subprocess.Popen[bytes]:
            return subprocess.Popen(command, cwd=ROOT, env=env, stdout=lines, stderr=lines)

        processes = [start(command) for command in commands]
        try:
            for place in cycle(range(len(commands))):
                _until_something_ended(store, mails)
                if store.count("mails", ENDED) >= mails or time.monotonic() > deadline:
                    break
                processes[place].kill()
                processes[place].wait()
                processes[place] = start(commands[place])
                kills += 1
        finally:
            time.sleep(2 * EACH_SECONDS)
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(60)
    return kills


def _until_something_ended(store: EmbeddedDocuments, mails: int) -> None:
    """Until a mail gets its outcome, and a second longer."""
    before, began = store.count("mails", ENDED), time.monotonic()
    while time.monotonic() < began + LONGEST_SECONDS and store.count("mails", ENDED) == before < mails:
        time.sleep(0.05)
    time.sleep(EACH_SECONDS)


def _doubled(store: EmbeddedDocuments, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is there more or less often than once a mail."""
    replies = sum(row["parent"] is not None for row in rows)
    wanted = {"mails": len(rows), "records": len(rows) - replies, "activities": len(rows)}
    found = {name: store.count(name, {}) for name in wanted}
    return [f"{found[name]} {name} instead of {count}" for name, count in wanted.items() if found[name] != count]


if __name__ == "__main__":
    sys.exit(main())
