"""What five open tabs of the console cost a desk that works: `python -m bench.tabs`.

`postroom up` takes in the load of the benchmark, in turn without a tab and with five. Each tab does what the script of
the console does: it keeps the event stream open, and fetches its page again whenever that says so.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench import corpus
from bench.processes import POSTROOM, ROOT, Failed, children_of, cpu_of, environment
from services.operator.permissions import access
from services.queues import QUEUES
from shared.app import App, Location
from shared.embedded.documents import EmbeddedDocuments
from shared.lazy_dataclass import dataclass

PAGES: Final = ("/", "/queues", "/mails", "/outbox", "/records")
LONGEST_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """Mails a second, processor time of `up` and its readers in ms a mail, pages that the tabs fetched."""

    mails_per_s: float
    cpu_ms: float
    pages: int


@contextmanager
def a_desk(data: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`postroom up`, and the port of its console."""
    env = environment(POSTROOM_DATA=str(data), POSTROOM_CONSOLE_PORT="0")
    process = subprocess.Popen(
        (*POSTROOM, "up"), cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "http://127.0.0.1:" in line:
                break
        else:
            raise Failed("up did not say where its console is")
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield process, int(line.split("http://127.0.0.1:", 1)[1].split("/")[0])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


class Tab(threading.Thread):
    """One open tab: a stream that says when to look again, and the page that is fetched then."""

    def __init__(self, port: int, page: str, session: str) -> None:
        super().__init__(daemon=True)
        self.port, self.page, self.pages = port, page, 0
        self.headers = {"Cookie": f"postroom={session}"}
        self._asked(page, {}).read()  # an open tab has shown its page once
        self.stream = self._asked("/live", {})

    def _asked(self, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST_SECONDS)
        connection.request("GET", path, headers=self.headers | headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise Failed(f"{path}: {answer.status}")
        return answer

    def run(self) -> None:
        """Until the desk ends."""
        with suppress(OSError, http.client.HTTPException):
            for line in self.stream:
                if line.startswith(b"event: look"):
                    self._asked(self.page, {"X-Look-Again": "1"}).read()
                    self.pages += 1


def measured(load: Path, tabs: int) -> Run:
    """One run over the load, on a fresh folder."""
    mails = len(corpus.manifest(load))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        app = App.open(Location(data), QUEUES)
        session = access.sign_in(app, access.add_user(app, "bench", "administrator"), "bench")
        app.close()
        with a_desk(data) as (process, port):
            opened = [Tab(port, page, session) for page in PAGES[:tabs]]
            for each in opened:
                each.start()
            began, before = time.perf_counter(), _cpu(process.pid)
            subprocess.run(
                (*POSTROOM, "publish", str(load)),
                cwd=ROOT, env=environment(POSTROOM_DATA=str(data)), check=True, capture_output=True,
            )  # fmt: skip
            _until_recorded(data, mails)
            seconds, cpu = time.perf_counter() - began, _cpu(process.pid) - before
            return Run(mails / seconds, 1000 * cpu / mails, sum(each.pages for each in opened))


def _cpu(pid: int) -> float:
    """Seconds of a process and of those that it started."""
    return sum(map(cpu_of, [pid, *children_of(pid)]))


def _until_recorded(data: Path, mails: int) -> None:
    store = EmbeddedDocuments(data)
    until = time.monotonic() + LONGEST_SECONDS
    while store.count("mails", {"outcome": "recorded"}) < mails:
        if time.monotonic() > until:
            raise Failed("the mails did not all become records")
        time.sleep(0.1)
    store.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.tabs", description=__doc__)
    parser.add_argument("--mails", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=3, help="runs of each kind, in turn")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args(arguments)
    runs: dict[int, list[Run]] = {0: [], len(PAGES): []}
    with tempfile.TemporaryDirectory() as folder:
        load = corpus.written(Path(folder) / "load", given.seed, given.mails)
        for _ in range(given.runs):
            for tabs, kept in runs.items():
                kept.append(run := measured(load, tabs))
                print(json.dumps({"tabs": tabs, **asdict(run)}), flush=True)
    speed = [statistics.median(run.mails_per_s for run in kept) for kept in runs.values()]
    cpu = [statistics.median(run.cpu_ms for run in kept) for kept in runs.values()]
    changes = [100 * (after / before - 1) for before, after in (speed, cpu)]
    print("five tabs: mails a second {:+.1f} %, CPU {:+.1f} %".format(*changes))


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
