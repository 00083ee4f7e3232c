"""Processes and what they cost: wall time, CPU of the process and its children, largest memory of all of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shared.lazy_dataclass import dataclass

ROOT = Path(__file__).resolve().parents[1]
POSTROOM = (sys.executable, "-m", "services.cli.main")
SAMPLE_SECONDS = 0.2
_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(RuntimeError):
    """A process ended with something else than 0."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the wall and on the CPU, megabytes at most."""

    seconds: float
    cpu: float
    peak_mb: float

    def __add__(self, other: Cost) -> Cost:
        """One after the other."""
        return Cost(self.seconds + other.seconds, self.cpu + other.cpu, max(self.peak_mb, other.peak_mb))


def environment(**more: str) -> dict[str, str]:
    """The environment of this process, without any setting of Postroom's that happens to be here.

    Compiled sources may be kept, as in every installation.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | more


def run(*command: str, env: Mapping[str, str]) -> Cost:
    """Run to the end, start-up included."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    with watched_memory(process.pid) as memory:
        told = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise Failed(f"{' '.join(command)}: exit code {process.returncode}: {told.decode()[-2000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, max(memory.peak_mb, usage.ru_maxrss / 1024))


@contextmanager
def watched_memory(pid: int) -> Iterator[Memory]:
    """Watch a process as long as the block lasts."""
    memory = Memory(pid)
    memory.start()
    try:
        yield memory
    finally:
        memory.ended.set()


class Memory(threading.Thread):
    """Watches the memory of a process and its children together; what they share counts once (proc(5), Pss)."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak_mb, self.ended = pid, 0.0, threading.Event()

    def run(self) -> None:
        """Look now and then until the process has ended."""
        while not self.ended.wait(SAMPLE_SECONDS):
            self.peak_mb = max(self.peak_mb, sum(map(_pss_mb, [self.pid, *children_of(self.pid)])))


def children_of(pid: int) -> list[int]:
    """The processes that it has started and that still run."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except OSError:
        return []
    return [int(each) for each in found]


def _pss_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").split("Pss:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return 0.0


def cpu_of(pid: int) -> float:
    """CPU seconds of a running process so far (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_mb_of(pid: int) -> float:
    """Its largest resident memory so far."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
