"""Calendars of the configuration as working hours, and the times to which a rule limits its notifications. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from shared.config.cron import Cron
from shared.config.keys import days_of, minutes_of
from shared.config.model import BusinessRule, Calendar, Configuration
from shared.working_time import Span, WorkingHours, is_working


def hours_named(configuration: Configuration, name: str | None) -> WorkingHours | None:
    """The working hours of a calendar; None, all hours, without a name, or when there is no such calendar any more."""
    calendar = configuration.calendar(name) if name else None
    return working_hours(calendar, configuration.settings.timezone) if calendar else None


def working_hours(calendar: Calendar, timezone: str) -> WorkingHours:
    """A calendar as working hours. `timezone`: that of the desk, which holds for a calendar without one."""
    holidays = [each for each in calendar.holidays if each.count("-") > 1]
    yearly = [date.fromisoformat(f"2024-{each}") for each in calendar.holidays if each.count("-") == 1]
    return WorkingHours(
        ZoneInfo(calendar.timezone or timezone),
        tuple(tuple(sorted(_spans_of(calendar, day))) for day in range(7)),
        frozenset(map(date.fromisoformat, holidays)),
        frozenset((each.month, each.day) for each in yearly),
    )


def _spans_of(calendar: Calendar, day: int) -> Iterator[Span]:
    for days, spans in calendar.hours.items():
        if day in days_of(days):
            yield from map(minutes_of, spans)


def may_notify(rule: BusinessRule, at: datetime, configuration: Configuration) -> bool:
    """Whether a rule notifies at this time (TI-35)."""
    local = at.astimezone(ZoneInfo(configuration.settings.timezone))
    in_schedule = rule.schedule is None or Cron.parse(rule.schedule).matches(local)
    return in_schedule and is_working(at, hours_named(configuration, rule.calendar))
