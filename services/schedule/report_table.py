"""A report as a table: the records that its query finds, in columns and groups (TI-34). Pure.

`services/operator/service_desk/reports.py` prints one, the schedule sends it; `report_text` writes it as text, HTML
and CSV.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.conditions import Compared, holds
from shared.config.model import Configuration, RecordType, Report
from shared.config.readers import UNITS
from shared.config.rule_checks import QUERY
from shared.lazy_dataclass import dataclass
from shared.record_values import value_of
from shared.store.record import Record

MAX_ROWS: Final = 10_000
"""Records that a report lists; it says how many more there are."""
NO_GROUP: Final = "(none)"


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one value of the field that a report is grouped by; one group without a name when it is not."""

    name: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A report as a table of texts. `left_out`: records beyond `MAX_ROWS`. `at`: local time, with its zone."""

    title: str
    at: str
    columns: tuple[str, ...]
    group_by: str | None
    groups: tuple[Group, ...]
    left_out: int = 0

    @property
    def count(self) -> int:
        """How many records it lists."""
        return sum(len(group.rows) for group in self.groups)


def statuses_of(report: Report, type_: RecordType) -> list[str] | None:
    """The statuses that the query can mean, for the store to look in; None: any."""
    wanted = report.query.get("status")
    if wanted is None:
        return None
    every = [(status, group) for group, named in type_.statuses.groups() for status in named]
    return [status for status, group in every if _has_status(wanted, status, group)]


def _has_status(wanted: Any, status: str, group: str) -> bool:
    """A group of statuses counts as each of them; `{not: closed}` excludes all of them."""
    if isinstance(wanted, Mapping):
        return all(
            not _has_status(each, status, group) if word == "not" else _has_status(each, status, group)
            for word, each in wanted.items()
        )
    return holds(wanted, Compared(status)) or holds(wanted, Compared(group))


def selected(report: Report, records: Iterable[Record], now: datetime) -> Iterator[Record]:
    """The records that meet the conditions of the query, besides type and status."""
    age = duration_of(str(report.query["age"])) if report.query.get("age") is not None else None
    conditions = {name: each for name, each in report.query.items() if name not in QUERY}
    for record in records:
        old_enough = age is None or (record.created_at is not None and now - record.created_at >= age)
        if old_enough and all(holds(each, Compared(value_of(record, name))) for name, each in conditions.items()):
            yield record


def duration_of(text: str) -> timedelta:
    """A time such as `3d` or `1h30m`; it was checked when the configuration was read."""
    parts = re.findall(r"([0-9]+)(ms|[smhdw])", text.replace(" ", "").casefold())
    return timedelta(seconds=sum(int(count) * UNITS[unit] for count, unit in parts))


def table(report: Report, records: Iterable[Record], configuration: Configuration, now: datetime) -> Table:
    """The report as a table; groups by name, records as they come."""
    zone = ZoneInfo(configuration.settings.timezone)
    rows: dict[str, list[tuple[str, ...]]] = {}
    left_out = 0
    for count, record in enumerate(selected(report, records, now)):
        if count >= MAX_ROWS:
            left_out += 1
            continue
        name = (cell(record, report.group_by, zone, now) or NO_GROUP) if report.group_by else ""
        rows.setdefault(name, []).append(tuple(cell(record, column, zone, now) for column in report.columns))
    names = sorted(rows, key=lambda each: (each == NO_GROUP, each.casefold()))
    groups = tuple(Group(name, tuple(rows[name])) for name in names)
    at = f"{now.astimezone(zone):%Y-%m-%d %H:%M} {configuration.settings.timezone}"
    return Table(report.title or report.name, at, report.columns, report.group_by, groups, left_out)


def cell(record: Record, column: str, zone: ZoneInfo, now: datetime) -> str:
    """The text of one cell; times in local time, empty for nothing."""
    match column.casefold():
        case "age":
            return _age(now - record.created_at) if record.created_at else ""
        case "due":
            return _moment(_due(record), zone)
    value = value_of(record, column)
    return _moment(value, zone) if isinstance(value, datetime) else _plain(value)


def _due(record: Record) -> datetime | None:
    targets = record.service.targets if record.service else ()
    return min((each.due_at for each in targets if each.state == "running" and each.due_at), default=None)


def _moment(at: datetime | None, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else " ".join(str(value).split())


def _age(age: timedelta) -> str:
    """In the two largest units that say something: `3d 4h`."""
    minutes = int(age.total_seconds()) // 60
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m"))
    return " ".join([f"{count}{unit}" for count, unit in parts if count][:2]) or "0m"
