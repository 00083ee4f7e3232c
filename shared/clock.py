"""Time as an argument: stages ask a Clock, so that tests decide what time it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from shared.lazy_dataclass import dataclass


class Clock(Protocol):
    """A source of the current time."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current time, cut to the millisecond that the store keeps."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


@dataclass(slots=True)
class FixedClock:
    """A clock for tests: shows one time until `advance` is called."""

    at: datetime

    def now(self) -> datetime:
        """The time it was set to."""
        return self.at

    def advance(self, by: timedelta) -> None:
        """Set the clock forward."""
        self.at += by
