"""Health of a process: `live` while its loops go on, `ready` while store, broker and configuration answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from shared.contracts.errors import PostroomError
from shared.runtime.hooks import Hook, Round, Taken

if TYPE_CHECKING:
    from shared.app import App

STILL_SECONDS: Final = 180.0
"""How long a loop may take for one message: the parser up to 75 s, a store that is busy half a minute."""
STILL_SECONDS_OF: Final[Mapping[str, float]] = {"notifier": 900.0, "exporter": 900.0, "schedule": 900.0}
"""How long it may take for a mail to a slow server (a dozen steps of up to half a minute), or for a report."""


class Pulse(Hook):
    """When each loop of the process last went on. Thread-safe.

    A loop is a thread: stages that take turns in one go on together. While a dependency is unavailable the loops go on,
    so a restart is not asked for.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._at: dict[str, float] = {}
        self._threads: dict[str, int] = {}

    def round(self, details: Round) -> None:
        """The loop of this thread goes on, with all its parts; without a name, while it waits for a dependency."""
        with self._lock:
            now, thread = self._monotonic(), threading.get_ident()
            if details.part:
                self._threads[details.part] = thread
            self._at |= {part: now for part, own in self._threads.items() if own == thread}

    def taken(self, details: Taken) -> None:
        """A backlog is being drained, one message at a time. The visits of the fetcher are not its loop."""
        if details.part != "fetcher":
            self.round(Round(details.part))

    def problem(self) -> str | None:
        """Which loops made no progress for too long, in words; None when all go on."""
        with self._lock:
            now = self._monotonic()
            stalled = sorted(part for part, at in self._at.items() if now - at > _bound(part))
        return f"no progress for {min(map(_bound, stalled)):.0f} s: {', '.join(stalled)}" if stalled else None


def _bound(part: str) -> float:
    return STILL_SECONDS_OF.get(part, STILL_SECONDS)


def unready(app: App) -> str | None:
    """Why this process cannot work now, in words; None when store, broker and configuration answer."""
    checks: tuple[tuple[str, Callable[[], object]], ...] = (
        ("store", app.documents.ping),
        ("broker", app.broker.depths),
        ("broker", app.broker.ping),
        ("configuration", app.directory.current),
    )
    for name, check in checks:
        try:
            check()
        except PostroomError as error:
            return f"{name}: {error}"
    return None
