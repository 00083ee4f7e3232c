"""One writer of the configuration at a time, over all processes and machines.

The writer holds a lease while it reads, checks and writes. One that is stopped for longer than the lease lasts may be
overtaken; it finds out, because every document is written on condition that it is still the one that was read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.contracts.errors import Unavailable
from shared.runtime.lease import Lease, Leases
from shared.store.documents import Documents

LEASE: Final = "configuration"
"""The name of the lease, among those of folders."""
LEASE_SECONDS: Final = 10.0
WAIT_SECONDS: Final = 30.0
"""How long a writer waits for another one."""
LOOK_SECONDS: Final = 0.02


class Overtaken(Unavailable):
    """Another process has written the same document since it was read."""


@contextmanager
def sole_writer(documents: Documents) -> Iterator[None]:
    """Nobody else writes the configuration during the block. Raises `Unavailable` when others write all the time."""
    with _acquired(Leases(documents, ttl=LEASE_SECONDS)):
        yield


def _acquired(leases: Leases) -> Lease:
    end = time.monotonic() + WAIT_SECONDS
    while (lease := leases.acquire(LEASE)) is None:
        if time.monotonic() > end:
            raise Unavailable("other processes are changing the configuration; nothing was changed, try again")
        time.sleep(LOOK_SECONDS)
    return lease
