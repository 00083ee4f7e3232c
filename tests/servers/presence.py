"""What all servers of the tests share: what a test says without one, a free port, a process that stands still."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Final, NoReturn

import pytest


def missing(program: str) -> NoReturn:
    """Skip on a laptop, fail in CI: there a test that did not run is a test that failed."""
    cannot_run(f"{program} is not installed")


def cannot_run(reason: str) -> NoReturn:
    """The same for any other reason."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI=true wants every test to run")
    pytest.skip(reason)


PATIENCE_SECONDS: Final = 120.0
"""How long a test waits, on a busy machine, for what is certain to happen: that a server starts, greets or stops, that
a thread ends, that an answer comes. A test may take more than twice as long."""
LOWEST, HIGHEST = 10_000, 30_000
"""Ports for servers: below those that Linux gives to clients (from 32768). There, a client could take a port between
two starts of its server, or, trying to reach a stopped server, be connected with itself."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on and no client is given.

    Another process of the same test run is not given it either, and this one not again for long: its server may bind it
    later, and be stopped for a while.
    """
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Several, which differ."""
    with ExitStack() as stack:
        return [_bound(stack.enter_context(socket.socket())) for _ in range(count)]


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections as long as the block lasts: it is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def _bound(probe: socket.socket) -> int:
    for port in islice(_OWN_PORTS, HIGHEST - LOWEST):
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise AssertionError(f"the ports of {_PROCESS} are taken")


def own_ports(number: int, count: int) -> Iterator[int]:
    """The ports of one of `count` processes, again and again; in any order, because another test run may be at work."""
    size = (HIGHEST - LOWEST) // count
    first = LOWEST + number * size
    return cycle(random.SystemRandom().sample(range(first, first + size), size))


_PROCESS: Final = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
_OWN_PORTS: Final = own_ports(int(_PROCESS.removeprefix("gw")), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def freeze(pid: int) -> None:
    """SIGSTOP, and return when every thread of the process stands still: until then it may still answer.

    `AssertionError` when it has not stopped within `PATIENCE_SECONDS`.
    """
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not all(_is_stopped(thread) for thread in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < deadline, f"process {pid} does not stop"
        time.sleep(0.001)


def _is_stopped(thread: Path) -> bool:
    try:
        state = (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "TZ"
