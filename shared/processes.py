"""Which process holds something, and whether it is gone.

A process number means something only within one boot of a machine and one process namespace: in containers that share
a folder, every worker is number 1. So a name says where its process runs, and nobody judges those of other places.
Separate, because the leases of the embedded broker and those of the fetcher must judge alike.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def name() -> str:
    """What tells the running process from every other: place, number, and when it began."""
    return f"{_place()}/{os.getpid()}/{_began(os.getpid())}"


def is_gone(holder: str) -> bool:
    """Whether the process that `name` called so has ended; False when it cannot be judged from here."""
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
    with suppress(PermissionError):  # somebody else's, but there
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
    return "present"
