"""What the parser process may spend on one mail.

Separate because both processes need it: the parser process sets the limits on itself; its parent reports which limit
was reached and waits no longer than the longest one.
"""

from __future__ import annotations

from typing import Final

from shared.contracts.errors import BoundExceeded, Unavailable
from shared.text import shortened

MEGABYTE: Final = 1_000_000
SMALL_MEGABYTES: Final = 2.0
CPU_SECONDS: Final = 2.0
"""For a mail of up to 2 MB."""
CPU_SECONDS_PER_MEGABYTE: Final = 0.5
"""For each further megabyte."""
WALL_SECONDS: Final = 10.0
WALL_TIMES_CPU: Final = 10.0
"""Waiting time on a busy or suspended machine causes no dead letter; only processor time does."""
MEMORY_BYTES: Final = 128 * MEGABYTE
MEMORY_TIMES_SIZE: Final = 12
"""Covers the mail itself, its decoded parts, its texts and the answer."""


class Overdue(Unavailable):
    """A mail was not read in time, though it took little processor time: the machine is busy. Try again later."""


def cpu_seconds(size: int) -> float:
    """Seconds of processor time allowed for a mail of `size` bytes; more is `parse-time`."""
    return CPU_SECONDS + CPU_SECONDS_PER_MEGABYTE * max(0.0, size / MEGABYTE - SMALL_MEGABYTES)


def wall_seconds(size: int) -> float:
    """Seconds to wait for a mail of `size` bytes; after that it is retried later."""
    return WALL_SECONDS + WALL_TIMES_CPU * cpu_seconds(size)


def memory_bytes(size: int) -> int:
    """Bytes of memory for a mail of `size` bytes, in addition to an idle process; more is `parse-memory`."""
    return MEMORY_BYTES + MEMORY_TIMES_SIZE * size


def out_of_time(size: int) -> BoundExceeded:
    """The mail took more processor time than it may."""
    return BoundExceeded("parse-time", f"reading it takes more than {cpu_seconds(size):.1f} s of processor time")


def out_of_memory(size: int) -> BoundExceeded:
    """The mail took more memory than it may."""
    return BoundExceeded("parse-memory", f"reading it takes more than {memory_bytes(size) // MEGABYTE} MB of memory")


def broken(error: Exception) -> BoundExceeded:
    """The mail triggers a bug in the parser."""
    return BoundExceeded("parse-crash", f"reading it fails: {shortened(f'{type(error).__name__}: {error}', 500)}")
