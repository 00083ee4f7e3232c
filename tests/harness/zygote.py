"""A process that has imported everything and forks a child for each job: `python -m tests.harness.zygote`.

Reads lines of JSON: `{"start": job}` answers with a process id, `{"wait": [pid, seconds]}` with how it ended
(negative: the signal; null: not within that time).
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
import traceback
from typing import Any

from tests.harness.child import Job, run


def main() -> None:
    gc.freeze()
    children: set[int] = set()
    try:
        serve(children)
    finally:  # a test that failed has not waited for all of them
        for pid in children:
            os.kill(pid, signal.SIGKILL)


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
