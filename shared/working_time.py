"""Arithmetic with working hours: when a given working time has passed, and how much lies between two moments. Pure.

Opening hours are times of a local clock; what counts is the time that really passes between them, so a day on which the
clock is changed has an hour more or less. Where the clock shows a time twice, a span goes from the first time that it
shows the beginning to the last time that it shows the end; a time that it skips counts as the moment of the change. All
moments are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.lazy_dataclass import dataclass

DAY_MINUTES: Final = 24 * 60
MAX_IDLE_DAYS: Final = 3700
"""Days without working time after which it is taken that there is none any more."""

Span = tuple[int, int]
"""Beginning and end in minutes of a local day; the end may be 1440, midnight."""


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Working hours in a time zone: spans for each day of the week, Monday first, which do not overlap; and days off.

    `yearly` are (month, day) of every year.
    """

    zone: ZoneInfo
    week: tuple[tuple[Span, ...], ...]
    holidays: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()

    def spans_of(self, day: date) -> Sequence[Span]:
        """The spans of one local day, in order."""
        if day in self.holidays or (day.month, day.day) in self.yearly:
            return ()
        return self.week[day.weekday()]


def end_of(start: datetime, length: timedelta, hours: WorkingHours | None) -> datetime | None:
    """The moment at which `length` of working time has passed since `start`; None when that is never.

    Without hours all time is working time. A length of 0 ends at once, whatever the hour.
    """
    if hours is None or not length:
        return start + length
    left = length
    for begins, ends in _spans_from(start, hours):
        if ends - begins >= left:
            return begins + left
        left -= ends - begins
    return None


def between(start: datetime, end: datetime, hours: WorkingHours | None) -> timedelta:
    """The working time from one moment to a later one; 0 when the second is earlier."""
    if end <= start:
        return timedelta()
    if hours is None:
        return end - start
    total = timedelta()
    for begins, ends in _spans_from(start, hours):
        if begins >= end:
            break
        total += min(ends, end) - begins
    return total


def is_working(at: datetime, hours: WorkingHours | None) -> bool:
    """Whether a moment lies in working hours; the end of a span does not."""
    if hours is None:
        return True
    begins, _ = next(_spans_from(at, hours), (None, None))
    return begins == at


def _spans_from(start: datetime, hours: WorkingHours) -> Iterator[tuple[datetime, datetime]]:
    """The spans of working time that end after `start`, the first one cut at it; they do not overlap."""
    day, idle, latest = start.astimezone(hours.zone).date() - timedelta(days=1), 0, start
    while idle < MAX_IDLE_DAYS and day < date.max - timedelta(days=2):
        for first, last in hours.spans_of(day):
            begins, ends = max(_moment(day, first, hours, fold=0), latest), _moment(day, last, hours, fold=1)
            if begins < ends:
                yield begins, ends
                latest, idle = ends, 0
        day, idle = day + timedelta(days=1), idle + 1


def _moment(day: date, minute: int, hours: WorkingHours, *, fold: int) -> datetime:
    days, rest = divmod(minute, DAY_MINUTES)
    local = datetime.combine(day + timedelta(days=days), time(*divmod(rest, 60)), hours.zone)
    at = local.replace(fold=fold).astimezone(UTC)
    if at.astimezone(hours.zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return at
    return _change_of_clock(local)


def _change_of_clock(local: datetime) -> datetime:
    """The moment at which the clock skips this local time: both readings of it lie on either side of that moment."""
    low, high = sorted((local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)))
    zone, before = local.tzinfo, low.astimezone(local.tzinfo).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
