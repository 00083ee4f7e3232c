"""Leases: one process at a time reads a folder, or does what the schedule does, without comparing clocks of machines.

A lease is a document with a token and a beat. Its holder increments the beat regularly. Another process may
take it over when the beat has not changed for `TTL` seconds of its own monotonic clock, or at once when the holder
was a process of this machine that has ended. Taking over is a conditional write on the token and beat that were
read. A takeover may repeat work but no effect, because `held` asks the store before every deletion.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from shared import processes
from shared.contracts.errors import Unavailable
from shared.store.documents import Documents
from shared.store.leases import StoredLease, StoredLeases

TTL = 60.0


class LeaseLost(Unavailable):
    """Another process has taken over: stop without further changes."""


class Leases:
    """The leases that one process asks for."""

    def __init__(
        self, documents: Documents, *, ttl: float = TTL, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stored, self._ttl, self._monotonic = StoredLeases(documents), ttl, monotonic
        self._owner = processes.name()
        self._seen: dict[str, tuple[StoredLease, float]] = {}

    def acquire(self, folder: str) -> Lease | None:
        """The lease, or None while another holds it."""
        token = uuid.uuid4().hex
        if self._stored.insert(StoredLease(folder, token, 0, self._owner)) or self._take_over(folder, token):
            return Lease(self._stored, folder, token, self._ttl / 4)
        return None

    def _take_over(self, folder: str, token: str) -> bool:
        held = self._stored.get(folder)
        if held is None or not (processes.is_gone(held.owner) or self._is_still(held)):
            return False
        return self._stored.take_over(held, token, self._owner)

    def _is_still(self, held: StoredLease) -> bool:
        """Whether this process has seen an unchanged beat for long enough."""
        now = self._monotonic()
        before, since = self._seen.get(held.folder, (None, now))
        if before != held:
            self._seen[held.folder] = (held, now)
            return False
        return now - since > self._ttl


class Lease:
    """A lease that is held. A thread increments its beat while the `with` block runs."""

    def __init__(self, stored: StoredLeases, folder: str, token: str, every: float) -> None:
        self._stored, self._folder, self._token, self._every = stored, folder, token, every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {folder}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        with suppress(Unavailable):  # then it expires, because its beat stops
            self._stored.delete(self._folder, self._token)

    def held(self) -> bool:
        """Whether the store says that the lease is still ours; also increments the beat."""
        return self._stored.beat(self._folder, self._token)

    def _beat(self) -> None:
        while not self._done.wait(self._every):
            with suppress(Unavailable):
                self.held()
