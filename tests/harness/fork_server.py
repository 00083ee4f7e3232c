"""A process that has imported everything and forks a child for each job: `python -m tests.harness.fork_server`.

Before the first job it does one itself: what a process makes once, such as compiled patterns, methods of data classes
and late imports, then is made once for all children. No thread, file or process of it is left when they are forked.

Reads lines of JSON: `{"start": job}` answers with a process id, `{"wait": [pid, seconds]}` with how it ended
(negative: the signal; null: not within that time).
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from typing import Any

from services.parser.readers import READERS
from shared.intake import RawMail
from shared.store import configuration as configuration_store
from tests.harness import mails
from tests.harness.child import Job, open_app, run, until_quiet


def main() -> None:
    warm_up()
    gc.freeze()
    children: set[int] = set()
    try:
        serve(children)
    finally:  # a test that failed has not waited for all of them
        for pid in children:
            os.kill(pid, signal.SIGKILL)


def warm_up() -> None:
    """One run of the mixed set, on a desk that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="postroom-fork-server-") as folder:
        job = Job(data=folder, log="", batched=True)
        app = open_app(job)
        configuration_store.apply(app.documents, mails.configuration(), prune=True)
        app.intake.hand_over([RawMail(each.raw, each.inbox) for each in mails.mixed()])
        until_quiet(app, job)
        app.close()
    READERS.close()
    assert threading.active_count() == 1


def serve(children: set[int]) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        answer: int | None
        if "start" in request:
            answer = start(request["start"])
            children.add(answer)
        else:
            answer = wait(*request["wait"])
            if answer is not None:
                children.discard(request["wait"][0])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def start(job: dict[str, Any]) -> int:
    if pid := os.fork():
        return pid
    try:
        os.close(0)
        run(Job(**job))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)


def wait(pid: int, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


if __name__ == "__main__":
    main()
