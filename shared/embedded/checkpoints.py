"""Checkpoints beside the work: a thread copies what was committed from the write-ahead log into the file.

Without it the commit that makes the log long copies the log, and whoever commits waits (decision 0189). SQLite's own
checkpoint at 8,000 pages stays: it is what happens when this thread comes late or ended.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

WORTH_COPYING: Final = 4 << 20
"""Bytes of the log. SQLite writes it from the beginning again and never shortens it: a quiet desk stays below."""
EVERY_SECONDS: Final = 0.3
"""At most so often: a page that is written again and again need not be copied each time."""


class Checkpoints:
    """The checkpoints of one process on one file; the thread starts with the first that is worth it."""

    def __init__(self, path: Path) -> None:
        self._path, self._log = path, path.with_name(f"{path.name}-wal")
        self._lock, self._wanted, self._stop = threading.Lock(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._next = 0.0

    def committed(self) -> None:
        """Something was committed: let the log be copied if it is long and was not copied a moment ago."""
        now = time.monotonic()
        if now < self._next or not self._is_long():
            return
        self._next = now + EVERY_SECONDS
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
                self._thread.start()
        self._wanted.set()

    def _is_long(self) -> bool:
        with suppress(OSError):
            return self._log.stat().st_size >= WORTH_COPYING
        return False

    def _run(self) -> None:
        try:
            with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                while self._wanted.wait() and not self._stop.is_set():
                    self._wanted.clear()
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            log.warning("no_checkpoints_beside", extra={"reason": str(error)})

    def close(self) -> None:
        """End the thread, once it has done with what it copies. Safe to call twice."""
        with self._lock:
            self._stop.set()
            self._wanted.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
