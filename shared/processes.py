"""Names of processes that hold leases, and whether such a process has ended.

A process number is unique only within one boot of a machine and one process namespace: in containers that share a
folder, every worker is number 1. So a name says where its process runs, and processes of other places are left alone.
Separate, because the embedded broker and the fetcher must apply the same rule to their leases.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def name() -> str:
    """The unique name of the running process: place, number, and start time."""
    return f"{_place()}/{os.getpid()}/{_began(os.getpid())}"


def is_gone(holder: str) -> bool:
    """Whether the process with this `name` has ended; False when it cannot be judged from here."""
    parts = holder.rsplit("/", 2)
    if len(parts) < 3:
        return False
    place, pid, began = parts
    return place == _place() and _began(int(pid)) != began


def _place() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _began(pid: int) -> str:
    """In clock ticks since boot (proc(5), stat field 22), empty for none; without /proc, whether it is there."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return "" if (_PROC / "self").exists() else _present(pid)
    return "" if fields[0] in "ZX" else fields[19]


def _present(pid: int) -> str:
    with suppress(PermissionError):  # the process of another user: it exists
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
    return "present"
