"""The write-ahead log beside the work: a thread syncs it, and copies it into the file.

Whoever commits then waits for neither. A commit that is not synced by itself is synced within `EVERY_SECONDS`, or with
the next one that is (decision 0189). SQLite's own checkpoint at 8,000 pages stays: it is what happens when this thread
comes late or ended.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

WORTH_COPYING: Final = 4 << 20
"""Bytes of the log. SQLite writes it from the beginning again and never shortens it: a quiet desk stays below."""
EVERY_SECONDS: Final = 0.3
"""How long the thread rests: a page that is written again and again need not be copied each time."""


class WriteAheadLog:
    """The log of one file, as this process keeps it. The thread starts with the first commit that needs it."""

    def __init__(self, path: Path) -> None:
        self._path, self._log = path, path.with_name(f"{path.name}-wal")
        self._lock, self._wanted, self._stop = threading.Lock(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._unsynced = self._synced = 0
        self.can_sync_later = True
        """False when the thread cannot work: then every commit has to be synced by itself."""

    def committed(self, *, synced: bool) -> None:
        """A commit was made, and synced by itself or to be synced here.

        One that is synced does not end the waiting of those before: when it has changed nothing, SQLite syncs nothing.
        """
        if synced and not self._is_long():
            return
        with self._lock:
            self._unsynced += not synced
            if self._thread is None and not self._stop.is_set() and self.can_sync_later:
                self._start()
        self._wanted.set()
        if not self.can_sync_later:  # it ended while this transaction was open
            self._sync_what_is_left()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="write-ahead log", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no further thread
            self._cannot_work(error)
        else:
            self._thread = thread

    def _cannot_work(self, error: Exception) -> None:
        self.can_sync_later = False
        log.warning("log_not_kept_beside", extra={"reason": str(error)})

    def _is_long(self) -> bool:
        with suppress(OSError):
            return self._log.stat().st_size >= WORTH_COPYING
        return False

    def sync(self) -> None:
        """Sync what was committed and is not synced. Raises `OSError`."""
        mark = self._unsynced
        if mark == self._synced:
            return
        with suppress(FileNotFoundError):  # the last to close the file has copied and removed it
            descriptor = os.open(self._log, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._synced = max(self._synced, mark)

    def _run(self) -> None:
        try:
            with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                while self._wanted.wait() and not self._stop.is_set():
                    self._wanted.clear()
                    self.sync()
                    if self._is_long():
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                    self._stop.wait(EVERY_SECONDS)
        except Exception as error:  # whatever it was: others have to sync from here on
            self._cannot_work(error)
            self._sync_what_is_left()

    def _sync_what_is_left(self) -> None:
        """Try it once. What cannot be synced stays noted: whoever asks for `sync` next gets the error."""
        try:
            self.sync()
        except OSError as error:
            log.warning("log_not_synced", extra={"reason": str(error)})

    def close(self) -> None:
        """End the thread, and sync what is left, as far as the disk lets it. Safe to call twice."""
        with self._lock:
            self._stop.set()
            self._wanted.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self._sync_what_is_left()
