"""Five-field schedules (`0 7 * * 1-5`): minute, hour, day of month, month, day of week, in local time.

The vocabulary is crontab's: `*`, numbers, names of months and days, ranges, lists and steps. When both
days are restricted, either may match, as in crontab. Separate because reports, rules and the check of a
configuration all read it.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: Final[Mapping[str, Mapping[str, int]]] = {
    "month": {name: index + 1 for index, name in enumerate(_MONTHS)},
    "day of week": {name: index for index, name in enumerate(_DAYS)},
}
_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_LONGEST: Final = {month: monthrange(2024, month)[1] for month in range(1, 13)}
"""Month → its days in a leap year."""
MAX_YEARS: Final = 9
"""29 February comes back after eight years at most (1896 to 1904)."""
_PART: Final = lazy_compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule, as the sets of values that each field allows. Sunday is 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read a schedule; `Misconfigured` says which field is wrong."""
        fields = text.split()
        if len(fields) != len(_FIELDS):
            raise Misconfigured("a schedule has five fields: minute, hour, day of month, month, day of week")
        minutes, hours, days, months, weekdays = (
            _values(field, *bounds) for field, bounds in zip(fields, _FIELDS, strict=True)
        )
        either_day = not fields[2].startswith("*") and not fields[4].startswith("*")
        return cls(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), either_day)

    @property
    def comes(self) -> bool:
        """Whether there is such a time: 31 February never comes."""
        return self.either_day or any(min(self.days) <= _LONGEST[month] for month in self.months)

    def matches(self, at: datetime) -> bool:
        """Whether the minute of a local time is one of the schedule's."""
        return (
            at.minute in self.minutes
            and at.hour in self.hours
            and at.month in self.months
            and self._day_matches(at.day, at.isoweekday() % 7)
        )

    def latest(self, after: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
        """The last time of the schedule after one moment, up to and including another, in UTC; None when there is none.

        A minute that the local clock shows twice is one time, the first. One that it skips comes at the moment to which
        the offset of before puts it, so `30 2 * * *` happens once on each day of the year.
        """
        first, day = after.astimezone(zone).date(), until.astimezone(zone).date()
        while day >= first:
            if found := [at for at in self._moments(day, zone) if after < at <= until]:
                return max(found)
            day -= timedelta(days=1)
        return None

    def following(self, after: datetime, zone: ZoneInfo) -> datetime | None:
        """The first time of the schedule after a moment, in UTC; None when it has none, such as on 31 February."""
        day = after.astimezone(zone).date()
        last = day + timedelta(days=MAX_YEARS * 366)
        while day <= last:
            if found := [at for at in self._moments(day, zone) if at > after]:
                return min(found)
            day += timedelta(days=1)
        return None

    def _moments(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        """The times of the schedule on a local day."""
        if day.month in self.months and self._day_matches(day.day, day.isoweekday() % 7):
            for hour in self.hours:
                for minute in self.minutes:
                    yield datetime.combine(day, time(hour, minute), zone).astimezone(UTC)

    def _day_matches(self, day: int, weekday: int) -> bool:
        if self.either_day:
            return day in self.days or weekday in self.weekdays
        return day in self.days and weekday in self.weekdays


def _values(field: str, name: str, low: int, high: int) -> frozenset[int]:
    values: set[int] = set()
    for part in field.split(","):
        values.update(_part(part, name, low, high))
    return frozenset(values)


def _part(part: str, name: str, low: int, high: int) -> range:
    found = _PART.fullmatch(part)
    if not found:
        raise Misconfigured(f'"{part}" is not a valid {name}; write {low}-{high}, a range, a list or *')
    first, last = _number(found["first"], name), _number(found["last"], name)
    step = int(found["step"] or 1)
    start = low if first is None else first
    end = last if last is not None else high if first is None or found["step"] else start
    if not low <= start <= end <= high or not step:
        raise Misconfigured(f'"{part}" is not a valid {name}; it goes from {low} to {high}')
    return range(start, end + 1, step)


def _number(word: str | None, name: str) -> int | None:
    if word is None:
        return None
    named = _NAMES.get(name, {}).get(word.casefold())
    if named is not None:
        return named
    if re.fullmatch("[0-9]{1,3}", word):
        return int(word)
    raise Misconfigured(f'"{word}" is not a valid {name}')
