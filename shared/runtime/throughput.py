"""A hook that counts the messages which each stage has handled, so that people see rates of all processes together."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from shared.runtime.hooks import Committed, Hook

FLUSH_SECONDS: Final = 2.0
"""Counts are stored this often, while there is work."""


class Throughput(Hook):
    """Adds up what stages commit, and hands it to `store` every few seconds."""

    def __init__(
        self, store: Callable[[Mapping[str, int]], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._monotonic = store, monotonic
        self._lock, self._counts, self._stored_at = threading.Lock(), Counter[str](), monotonic()

    def committed(self, details: Committed) -> None:
        """Count them."""
        with self._lock:
            self._counts[details.part] += details.count
            if self._monotonic() - self._stored_at < FLUSH_SECONDS:
                return
            counts, self._counts, self._stored_at = self._counts, Counter(), self._monotonic()
        self._store(counts)
