"""What all servers of the tests share: what a test says without one, a free port, a process that stands still."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import NoReturn

import pytest


def missing(program: str) -> NoReturn:
    """Skip on a laptop, fail in CI: there a test that did not run is a test that failed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed, and CI=true wants every test to run")
    pytest.skip(f"{program} is not installed")


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def freeze(pid: int) -> None:
    """SIGSTOP, and return when every thread of the process stands still: until then it may still answer.

    `AssertionError` when it has not stopped within 20 s.
    """
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 20
    while not all(_is_stopped(thread) for thread in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < deadline, f"process {pid} does not stop"
        time.sleep(0.001)


def _is_stopped(thread: Path) -> bool:
    try:
        state = (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "TZ"
