"""Rates: how many mails a token may hand in. Counted in this process; several processes count each for itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from shared.lazy_dataclass import dataclass

MAX_BUCKETS: Final = 10_000
MINUTE_SECONDS: Final = 60.0


@dataclass(slots=True)
class _Bucket:
    """Mails that may be handed in now, as of a moment."""

    left: float
    at: float


class Rates:
    """A bucket for each key: full, it holds the mails of one minute, and it fills up evenly."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._buckets = clock, dict[str, _Bucket]()

    def take(self, key: str, per_minute: int) -> int:
        """Take one mail from the bucket; 0, or the whole seconds after which there is one again."""
        now = self._clock()
        bucket = self._buckets.get(key) or self._new(key, per_minute, now)
        filled = bucket.left + (now - bucket.at) * per_minute / MINUTE_SECONDS
        bucket.left, bucket.at = min(float(per_minute), filled), now
        if bucket.left < 1.0:
            return max(1, math.ceil((1.0 - bucket.left) * MINUTE_SECONDS / per_minute))
        bucket.left -= 1.0
        return 0

    def _new(self, key: str, per_minute: int, now: float) -> _Bucket:
        if len(self._buckets) >= MAX_BUCKETS:  # only keys that were admitted have one: this many tokens are in use
            self._buckets.clear()
        self._buckets[key] = bucket = _Bucket(float(per_minute), now)
        return bucket
