"""The configuration as workers see it: a snapshot that is renewed when the stored one has changed.

People are not in it: there may be very many, and the repository finds them one by one. A stored
configuration that cannot be used is reported and the one before stays in force.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Final

from shared.clock import Clock
from shared.config.model import Configuration, Inbox, RecordType
from shared.contracts.errors import Misconfigured
from shared.store.configuration import read, revision
from shared.store.documents import Documents

log = logging.getLogger(__name__)

REFRESH: Final = timedelta(seconds=2)


class Directory:
    """The current configuration, at no cost for each call. Safe to share between threads.

    Reads the store's revision at most once in `refresh`, and the configuration only when the revision has changed.
    """

    def __init__(self, documents: Documents, clock: Clock, refresh: timedelta = REFRESH) -> None:
        self.documents, self.clock, self.refresh = documents, clock, refresh
        self._lock = threading.Lock()
        self._snapshot: Configuration | None = None
        self._revision = -1
        self._due = 0.0
        self.is_refused = False
        """Whether the configuration that is stored now cannot be used, so that an earlier one is in force."""

    def current(self) -> Configuration:
        """The configuration in force. Raises `Unavailable` when the store has to be read and does not answer.

        The first reading raises `Misconfigured` when the stored configuration cannot be used.
        """
        snapshot = self._snapshot
        if snapshot is not None and time.monotonic() < self._due:
            return snapshot
        with self._lock:
            return self._renewed()

    def renew(self) -> Configuration:
        """The configuration, read from the store now."""
        self._due = 0.0
        return self.current()

    def inbox(self, name: str) -> Inbox | None:
        """The inbox with this name; the default one for an empty name."""
        config = self.current()
        return config.inbox(name) if name else config.default_inbox

    def type_named(self, name: str) -> RecordType | None:
        """The record type with this name, label or alias."""
        return self.current().type_named(name)

    def _renewed(self) -> Configuration:
        if self._snapshot is None or time.monotonic() >= self._due:
            found = revision(self.documents)
            if self._snapshot is None or found != self._revision:
                self._snapshot = self._read()
                self._revision = found
            self._due = time.monotonic() + self.refresh.total_seconds()
        return self._snapshot

    def _read(self) -> Configuration:
        try:
            found = read(self.documents)
        except Misconfigured as error:
            self.is_refused = True
            if self._snapshot is None:
                raise
            log.error("configuration_refused", extra={"reason": str(error)})  # noqa: TRY400 - no traceback is of use
            return self._snapshot
        self.is_refused = False
        return found
