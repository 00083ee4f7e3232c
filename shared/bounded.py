"""Bounds what a process remembers by key."""

from __future__ import annotations

from typing import Any


def forget_oldest(remembered: dict[Any, Any], most: int) -> None:
    """Forget what was put in first, until at most this many are left. Threads that share it hold a lock."""
    while len(remembered) > most:
        del remembered[next(iter(remembered))]
