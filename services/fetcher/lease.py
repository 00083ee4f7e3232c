"""Leases: one fetcher at a time per folder, without comparing clocks of different machines.

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
from shared.store.documents import Change, Document, Documents

COLLECTION = "fetch_leases"
TTL = 60.0


class LeaseLost(Unavailable):
    """Another process has taken over the folder: stop without further changes."""


class Leases:
    """The leases that one process asks for."""

    def __init__(
        self, documents: Documents, *, ttl: float = TTL, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._documents, self._ttl, self._monotonic = documents, ttl, monotonic
        self._owner = processes.name()
        self._seen: dict[str, tuple[tuple[str, int], float]] = {}

    def acquire(self, name: str) -> Lease | None:
        """The lease, or None while another holds it."""
        token = uuid.uuid4().hex
        fresh = {"_id": name, "token": token, "beat": 0, "owner": self._owner}
        if self._documents.insert(COLLECTION, fresh) or self._take_over(name, token):
            return Lease(self._documents, name, token, self._ttl / 4)
        return None

    def _take_over(self, name: str, token: str) -> bool:
        held = self._documents.get(COLLECTION, name)
        if held is None or not (processes.is_gone(held["owner"]) or self._is_still(name, held)):
            return False
        where = {"_id": name, "token": held["token"], "beat": held["beat"]}
        change: Change = {"$set": {"token": token, "owner": self._owner}, "$inc": {"beat": 1}}
        return self._documents.update(COLLECTION, where, change)

    def _is_still(self, name: str, held: Document) -> bool:
        """Whether this process has seen an unchanged beat for long enough."""
        mark, now = (str(held["token"]), int(held["beat"])), self._monotonic()
        before, since = self._seen.get(name, (None, now))
        if before != mark:
            self._seen[name] = (mark, now)
            return False
        return now - since > self._ttl


class Lease:
    """A lease that is held. A thread increments its beat while the `with` block runs."""

    def __init__(self, documents: Documents, name: str, token: str, every: float) -> None:
        self._documents, self._where, self._every = documents, {"_id": name, "token": token}, every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        with suppress(Unavailable):  # then it expires, because its beat stops
            self._documents.delete(COLLECTION, self._where)

    def held(self) -> bool:
        """Whether the store says that the lease is still ours; also increments the beat."""
        return self._documents.update(COLLECTION, self._where, {"$inc": {"beat": 1}})

    def _beat(self) -> None:
        while not self._done.wait(self._every):
            with suppress(Unavailable):
                self.held()
