"""Named step boundaries of the runtime: the places at which a crash must do no harm.

`crash_point("worker.decided")` marks that something has just been done and the next thing has not. In production it
does nothing. The crash tests switch it on by the environment, read once when this module is imported:

- `POSTROOM_STEPS=FILE` appends the name of every boundary that is passed, one per line;
- `POSTROOM_CRASH_AT=NAME:N[:SIGNAL]` sends this process a signal (KILL when none is named) the Nth time that it
  passes the boundary NAME.

Separate from the code it marks, so that runtime modules contain nothing of the tests.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

from shared.lazy_dataclass import dataclass

BOUNDARIES: Final = (
    "intake.stored",
    "intake.published",
    "intake.counted",
    "broker.counted",
    "worker.taken",
    "worker.decided",
    "writer.claimed",
    "writer.committed",
    "writer.carried-out",
    "writer.outcome",
    "dead-letter.kept",
    "dead-letter.outcome",
    "store.phase",
    "store.committed",
    "worker.announced",
    "worker.settled",
    "broker.settling",
    "broker.settled",
    "broker.published",
    "broker.confirmed",
    "broker.acked",
)
"""Every name that `crash_point` is called with, in the order of a message's journey.

`broker.counted` and `broker.settling` (inside the transaction, before it commits) belong to the embedded broker,
`broker.published`, `broker.confirmed` and `broker.acked` to RabbitMQ, `store.phase` to MongoDB.
"""


@dataclass(slots=True)
class Watch:
    """The action at boundaries. `at` None: nothing is sent; `listing` None: nothing is written."""

    at: tuple[str, int] | None = None
    signal: signal.Signals = signal.SIGKILL
    listing: Path | None = None
    _passed: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Watch | None:
        """None when neither variable is set: nothing is watched."""
        crash, listing = environ.get("POSTROOM_CRASH_AT"), environ.get("POSTROOM_STEPS")
        if not (crash or listing):
            return None
        return cls(*_aim(crash or ""), Path(listing) if listing else None)

    def passed(self, name: str) -> None:
        """Append the name to the list; send the signal when this is the chosen boundary."""
        with self._lock:
            self._passed[name] += 1
            if self.listing is not None:
                with self.listing.open("a") as listing:
                    listing.write(f"{name}\n")
            if self.at == (name, self._passed[name]):
                os.kill(os.getpid(), self.signal)


def _aim(text: str) -> tuple[tuple[str, int] | None, signal.Signals]:
    name, _, rest = text.partition(":")
    number, _, how = rest.partition(":")
    return ((name, int(number)) if name else None), signal.Signals[f"SIG{how or 'KILL'}"]


_watch = Watch.from_environment(os.environ)


def crash_point(name: str) -> None:
    """Mark that a boundary is passed."""
    if _watch is not None:
        _watch.passed(name)


def watch(environ: Mapping[str, str]) -> None:
    """Read the environment again: for a process that was forked with its own."""
    global _watch  # noqa: PLW0603  one per process
    _watch = Watch.from_environment(environ)
