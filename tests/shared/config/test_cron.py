"""Schedules of five fields."""

from __future__ import annotations

from datetime import datetime

import pytest

from shared.config.cron import Cron
from shared.contracts.errors import Misconfigured


@pytest.mark.parametrize(
    ("schedule", "at", "matches"),
    [
        ("* * * * *", "2024-05-01 12:34", True),
        ("0 7 * * 1-5", "2024-05-01 07:00", True),
        ("0 7 * * 1-5", "2024-05-04 07:00", False),
        ("0 7 * * mon-fri", "2024-05-03 07:00", True),
        ("*/15 * * * *", "2024-05-01 12:45", True),
        ("*/15 * * * *", "2024-05-01 12:50", False),
        ("5/20 * * * *", "2024-05-01 12:25", True),
        ("0 0 * jan,mar *", "2024-03-31 00:00", True),
        ("0 0 * * 7", "2024-05-05 00:00", True),
        ("0 0 * * sun", "2024-05-05 00:00", True),
        ("0 0 1 * mon", "2024-05-01 00:00", True),
        ("0 0 1 * mon", "2024-05-06 00:00", True),
        ("0 0 1 * mon", "2024-05-07 00:00", False),
    ],
)
def test_a_schedule_matches_minutes(schedule: str, at: str, matches: bool) -> None:
    assert Cron.parse(schedule).matches(datetime.fromisoformat(at)) is matches


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ("0 7 * *", "five fields"),
        ("60 7 * * *", "it goes from 0 to 59"),
        ("0 7 0 * *", "it goes from 1 to 31"),
        ("0 7 * foo *", '"foo" is not a valid month'),
        ("0 5-3 * * *", "it goes from 0 to 23"),
        ("*/0 * * * *", "it goes from 0 to 59"),
        ("a * * * *", '"a" is not a valid minute'),
        ("1-2-3 * * * *", "write 0-59, a range, a list or"),
    ],
)
def test_a_wrong_schedule_names_the_field(schedule: str, reason: str) -> None:
    with pytest.raises(Misconfigured, match=reason):
        Cron.parse(schedule)
