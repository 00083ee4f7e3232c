"""Messages per second into and out of each queue, from what was counted between two looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from services.operator.health.stages import stage_of_queue
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from services.operator.health.queues import QueueState
    from shared.app import App

LOOK_SECONDS: Final = 4.0
"""Minimum time between two looks from which rates are computed: workers store their counts every two seconds."""
OLD_SECONDS: Final = 60.0
"""A look that is older than this is not used."""


@dataclass(frozen=True, slots=True)
class QueueRate:
    """Messages per second into a queue, and out of it to its stage."""

    into: float
    out: float


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    ready: Mapping[str, int]
    handled: Mapping[str, int]


class QueueRates:
    """The rates that one process shows; several pages share its looks."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._before: _Look | None = None
        self._rates: Mapping[str, QueueRate] = {}

    def look(self, app: App, states: Sequence[QueueState]) -> Mapping[str, QueueRate]:
        """The rates by queue; empty at the first look, and after a long time without one."""
        with self._lock:
            now, before = self._monotonic(), self._before
            if before is not None and now - before.at < LOOK_SECONDS:
                return self._rates
            self._before = _Look(now, {each.name: each.ready for each in states}, app.stage_counts.all())
            is_old = before is None or now - before.at > OLD_SECONDS
            self._rates = {} if before is None or is_old else dict(_between(before, self._before))
            return self._rates


def _between(before: _Look, now: _Look) -> Mapping[str, QueueRate]:
    """The rates between two looks: what is out was handled; what came in went out, or waits now and did not before."""
    seconds, found = now.at - before.at, dict[str, QueueRate]()
    for queue, ready in now.ready.items():
        if stage := stage_of_queue(queue):
            out = (now.handled.get(stage, 0) - before.handled.get(stage, 0)) / seconds
            grown = (ready - before.ready.get(queue, 0)) / seconds
            found[queue] = QueueRate(max(0.0, out + grown), max(0.0, out))
    return found


RATES: Final = QueueRates()
