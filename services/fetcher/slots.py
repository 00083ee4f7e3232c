"""How many inboxes are visited at once, so that servers that do not answer keep none of the others waiting.

A visit holds one of `SLOTS` slots for its first `SLOW_SECONDS`; then it goes on without one, because its server is the
reason. So a server that says nothing, or one byte a second, costs the others one slot for a few seconds, and afterwards
only a thread; back-off makes even that rare. Pure: times are seconds on the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

SLOTS: Final = 8
SLOW_SECONDS: Final = 5.0
MAX_VISITS: Final = 40
"""Visits at once, slow ones included: each may hold a large mail in memory."""


def free_slots(began: Iterable[float], now: float) -> int:
    """How many more visits may begin now. `began`: when each visit that still runs began."""
    running = list(began)
    quick = sum(1 for each in running if now - each < SLOW_SECONDS)
    return max(0, min(SLOTS - quick, MAX_VISITS - len(running)))
