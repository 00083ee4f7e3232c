"""One mail, one time for all patterns; what is left when it is spent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.patterns import PatternTime, PatternTimeSpent


def ticking(seconds: float) -> Iterator[float]:
    """A clock that moves by this much whenever it is read."""
    at = 0.0
    while True:
        yield at
        at += seconds


def test_patterns_are_tried_until_the_time_of_the_mail_is_spent() -> None:
    time = PatternTime(2.0, ticking(0.5).__next__)
    found = [time.search("PRINT", "printer") is not None for _ in range(4)]
    with pytest.raises(PatternTimeSpent, match=r"more than 2 s on this mail, and 'again' was not tried"):
        time.search("again", "again")
    assert found == [True] * 4


def test_a_pattern_that_takes_too_long_does_not_match() -> None:
    assert PatternTime(0.01).search("(a|aa)+$", "a" * 60 + "b") is None
