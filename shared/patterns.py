"""Runs the patterns that an administrator wrote: within a time each, and within one time for all of them on a mail.

A pattern may take very long on a text made for it. One that takes too long does not match; when the time for the mail
is over, `PatternTimeSpent` is raised, and the caller decides: a mail that could not be checked is not accepted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

import regex

from shared.contracts.errors import PostroomError

log = logging.getLogger(__name__)

PATTERN_SECONDS: Final = 0.5
MAIL_SECONDS: Final = 2.0


class PatternTimeSpent(PostroomError):
    """The patterns took all the time that a mail has for them, so the rest of them was not tried."""


class PatternTime:
    """The time that one mail has for patterns, in seconds."""

    def __init__(self, seconds: float = MAIL_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self.left, self._clock = seconds, seconds, clock

    def search(self, pattern: str, text: str) -> regex.Match[str] | None:
        """The first match, whatever the case; None when there is none in time. Raises `PatternTimeSpent`."""
        if self.left <= 0:
            raise PatternTimeSpent(
                f"patterns took more than {self.seconds:g} s on this mail, and {pattern!r} was not tried; simplify them"
            )
        began = self._clock()
        try:
            return regex.search(pattern, text, flags=regex.IGNORECASE, timeout=min(PATTERN_SECONDS, self.left))
        except TimeoutError:
            log.warning("pattern_timed_out", extra={"pattern": pattern})
            return None
        finally:
            self.left -= self._clock() - began
