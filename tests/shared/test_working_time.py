"""Working hours: sums, differences, changes of the clock; checked against a count of minutes, one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.working_time import WorkingHours, between, end_of, is_working

BERLIN = ZoneInfo("Europe/Berlin")
DAY = ((9 * 60, 17 * 60),)
OFFICE = WorkingHours(BERLIN, (DAY,) * 5 + ((), ()), frozenset({date(2026, 12, 25)}), frozenset({(1, 1)}))
ALWAYS = WorkingHours(BERLIN, (((0, 1440),),) * 7)
NIGHTS = WorkingHours(BERLIN, (((0, 150), (150, 240), (22 * 60, 1440)),) * 7)
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    """A local time in Berlin, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        ("2026-11-20 10:00", HOUR, "2026-11-20 11:00"),
        ("2026-11-20 16:30", HOUR, "2026-11-23 09:30"),
        ("2026-11-20 16:00", HOUR, "2026-11-20 17:00"),
        ("2026-11-20 18:00", HOUR, "2026-11-23 10:00"),
        ("2026-11-21 12:00", HOUR, "2026-11-23 10:00"),
        ("2026-11-23 05:00", HOUR, "2026-11-23 10:00"),
        ("2026-12-24 16:00", 2 * HOUR, "2026-12-28 10:00"),
        ("2026-12-31 16:00", 2 * HOUR, "2027-01-04 10:00"),
        ("2026-11-20 10:00", 40 * HOUR, "2026-11-27 10:00"),
        ("2026-11-21 12:00", timedelta(), "2026-11-21 12:00"),
    ],
)
def test_working_time_ends_in_working_hours(start: str, length: timedelta, end: str) -> None:
    assert end_of(at(start), length, OFFICE) == at(end)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)], ids=["spring", "autumn", "other"]
)
def test_a_day_on_which_the_clock_changes_has_the_hours_that_pass(day: str, hours: int) -> None:
    following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    assert between(at(f"{day} 00:00"), at(f"{following} 00:00"), ALWAYS) == hours * HOUR


@pytest.mark.parametrize(
    ("day", "minutes"),
    [("2026-03-29", 360 - 60), ("2026-10-25", 360 + 60), ("2026-10-26", 360)],
    ids=["skipped", "repeated", "other"],
)
def test_spans_that_end_in_the_changed_hour_neither_overlap_nor_leave_a_gap(day: str, minutes: int) -> None:
    start, end = at(f"{day} 00:00"), at(f"{day} 23:59") + timedelta(minutes=1)
    assert between(start, end, NIGHTS) == timedelta(minutes=minutes)


def test_without_working_hours_all_time_counts() -> None:
    assert end_of(at("2026-11-21 12:00"), 48 * HOUR, None) == at("2026-11-23 12:00")
    assert between(at("2026-11-21 12:00"), at("2026-11-22 12:00"), None) == 24 * HOUR
    assert is_working(at("2026-11-21 12:00"), None)


def test_a_target_that_working_time_never_reaches_has_no_end() -> None:
    closed = WorkingHours(
        BERLIN, (DAY,) + ((),) * 6, yearly=frozenset((m, d) for m in range(1, 13) for d in range(1, 32))
    )
    assert end_of(at("2026-11-20 10:00"), HOUR, closed) is None
    assert between(at("2026-11-20 10:00"), at("2026-11-24 10:00"), closed) == timedelta()


@pytest.mark.parametrize(
    ("when", "expected"),
    [("2026-11-20 09:00", True), ("2026-11-20 16:59", True), ("2026-11-20 17:00", False), ("2026-12-25 10:00", False)],
)
def test_a_moment_is_in_working_hours_from_their_beginning_to_before_their_end(when: str, *, expected: bool) -> None:
    assert is_working(at(when), OFFICE) is expected


minutes = st.integers(0, 3 * 7 * 1440).map(lambda count: timedelta(minutes=count))
starts = st.builds(
    lambda day, minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day, minutes=minute),
    st.integers(0, 400),
    st.integers(0, 1439),
)


@st.composite
def calendars(draw: st.DrawFn) -> WorkingHours:
    """Hours of every shape, in zones whose clocks change, by half an hour too; at least some on Mondays."""
    zone = ZoneInfo(draw(st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])))
    week = [_spans(sorted(draw(st.sets(st.integers(0, 1440), max_size=6)))) for _ in range(7)]
    week[0] = week[0] or DAY
    days = draw(st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=5))
    return WorkingHours(zone, tuple(week), days)


def _spans(edges: list[int]) -> tuple[tuple[int, int], ...]:
    return tuple(zip(edges[::2], edges[1::2], strict=False))


@settings(max_examples=200, deadline=None)
@given(hours=calendars(), start=starts, first=minutes, second=minutes)
def test_two_lengths_one_after_the_other_are_their_sum(
    hours: WorkingHours, start: datetime, first: timedelta, second: timedelta
) -> None:
    middle = end_of(start, first, hours)
    assert middle is not None
    assert between(start, middle, hours) == first
    assert middle >= start
    if second:
        assert end_of(middle, second, hours) == end_of(start, first + second, hours)


@settings(max_examples=60, deadline=None)
@given(hours=calendars(), start=starts, length=st.integers(1, 2 * 1440))
def test_the_working_time_between_two_moments_is_the_number_of_working_minutes(
    hours: WorkingHours, start: datetime, length: int
) -> None:
    counted = sum(is_working(start + timedelta(minutes=each), hours) for each in range(length))
    assert between(start, start + timedelta(minutes=length), hours) == timedelta(minutes=counted)
