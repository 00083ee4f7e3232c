"""Whether a person has paused a stage, asked of the store once a second at most, for all stages of a process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

REFRESH_SECONDS: Final = 1.0
"""How long an answer of the store is used: a pause is obeyed, and ended, within this time."""


class PauseReader:
    """The reasons of the pauses in force. Thread-safe: two threads at worst ask the store twice."""

    def __init__(self, read: Callable[[], Mapping[str, str]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read, self._monotonic = read, monotonic
        self._known: Mapping[str, str] = {}
        self._until = float("-inf")

    def __call__(self, stage: str) -> str | None:
        """Why a stage is paused, None when it is not. Raises `Unavailable` when the store does not answer."""
        if self._monotonic() >= self._until:
            self._known = self._read()
            self._until = self._monotonic() + REFRESH_SECONDS
        return self._known.get(stage)
