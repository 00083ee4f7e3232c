"""Schedules of five fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

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


BERLIN = ZoneInfo("Europe/Berlin")


def local(text: str, fold: int = 0) -> datetime:
    """A local time in Berlin, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def times(schedule: str, after: datetime, until: datetime) -> list[datetime]:
    """Every time of a schedule, looked for as the schedule does: each after the one before."""
    cron, found = Cron.parse(schedule), [after]
    while (following := cron.following(found[-1], BERLIN)) and following <= until:
        assert cron.latest(found[-1], following, BERLIN) == following
        found.append(following)
    return found[1:]


@pytest.mark.parametrize(
    ("schedule", "day", "expected"),
    [
        ("30 2 * * *", "2026-03-29", ["01:30"]),
        ("30 2 * * *", "2026-10-25", ["00:30"]),
        ("0 * * * *", "2026-10-25", [f"{hour:02}:00" for hour in range(23) if hour != 1]),
        ("0 7 * * 1-5", "2026-03-29", []),
        ("0 7 * * 7", "2026-03-29", ["05:00"]),
    ],
    ids=["skipped", "repeated", "every hour", "another day", "day of the change"],
)
def test_a_time_that_the_clock_skips_or_shows_twice_comes_once(schedule: str, day: str, expected: list[str]) -> None:
    begin = local(f"{day} 00:00") - timedelta(minutes=1)
    found = times(schedule, begin, local(f"{day} 23:00"))
    assert [f"{each:%H:%M}" for each in found if each.date().isoformat() == day] == expected


def test_after_a_long_pause_there_is_one_latest_time() -> None:
    cron = Cron.parse("0 7 * * 1-5")
    assert cron.latest(local("2026-11-01 08:00"), local("2026-11-22 12:00"), BERLIN) == local("2026-11-20 07:00")
    assert cron.latest(local("2026-11-20 07:00"), local("2026-11-22 12:00"), BERLIN) is None
    assert cron.latest(local("2026-11-20 06:59"), local("2026-11-20 07:00"), BERLIN) == local("2026-11-20 07:00")


def test_a_rare_day_is_found_and_a_day_that_never_comes_is_not() -> None:
    assert Cron.parse("0 0 29 2 *").following(local("2026-11-20 07:00"), BERLIN) == local("2028-02-29 00:00")
    assert Cron.parse("0 0 31 2 *").following(local("2026-11-20 07:00"), BERLIN) is None
