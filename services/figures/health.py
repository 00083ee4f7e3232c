"""Health of a process: `live` while its loops go on, `ready` while store, broker and configuration answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from shared.contracts.errors import PostroomError
from shared.runtime.hooks import Hook, Round, Taken

if TYPE_CHECKING:
    from shared.app import App

STILL_SECONDS: Final = 900.0
"""How long a loop may take for one round: a batch of mails to a slow server takes minutes."""


class Pulse(Hook):
    """When each loop of the process last began a round. Thread-safe.

    While a dependency is unavailable the loops go on, so a restart is not asked for.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._at: dict[str, float] = {}

    def round(self, details: Round) -> None:
        """A loop goes on; without a name, all that wait for a dependency."""
        with self._lock:
            now = self._monotonic()
            for part in [details.part] if details.part else list(self._at):
                self._at[part] = now

    def taken(self, details: Taken) -> None:
        """A backlog is being drained, one message at a time. The visits of the fetcher are not its loop."""
        if details.part != "fetcher":
            self.round(Round(details.part))

    def problem(self) -> str | None:
        """Which loop stands still, in words; None when all go on."""
        with self._lock:
            now = self._monotonic()
            still = sorted(part for part, at in self._at.items() if now - at > STILL_SECONDS)
        return f"no round for {STILL_SECONDS:.0f} s: {', '.join(still)}" if still else None


def unready(app: App) -> str | None:
    """Why this process cannot work now, in words; None when store, broker and configuration answer."""
    checks: tuple[tuple[str, Callable[[], object]], ...] = (
        ("store", app.documents.ping),
        ("broker", app.broker.depths),
        ("configuration", app.directory.current),
    )
    for name, check in checks:
        try:
            check()
        except PostroomError as error:
            return f"{name}: {error}"
    return None
