"""Reports as people see them: what is configured, when it was sent and will be, and one as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from services.operator.errors import UnknownName
from services.schedule.report_table import Table
from services.schedule.reports import make, recipients_of
from shared.config.cron import Cron
from shared.config.problems import nearest
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import Report


@dataclass(frozen=True, slots=True)
class ReportView:
    """A report of the configuration. `sent_at` None: not yet; `next_at` None: its schedule never comes."""

    name: str
    schedule: str
    next_at: datetime | None
    sent_at: datetime | None
    records: int | None
    recipients: tuple[str, ...]
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        return asdict(self)


def reports(app: App) -> Iterator[ReportView]:
    """All reports, in the order of the configuration."""
    configuration, now = app.directory.renew(), app.clock.now()
    zone = ZoneInfo(configuration.settings.timezone)
    for report in configuration.reports:
        state = app.reports.get(report.name)
        yield ReportView(
            report.name,
            report.schedule,
            Cron.parse(report.schedule).following(now, zone),
            state.sent_at if state else None,
            state.records if state and state.sent_at else None,
            tuple(recipients_of(app, report)),
            state.reason if state else "",
        )


def report_called(app: App, name: str) -> Report:
    """The report with this name. Raises `UnknownName`."""
    known = app.directory.renew().reports
    found = next((each for each in known if each.name.casefold() == name.casefold()), None)
    if found is None:
        names = [each.name for each in known]
        hint = nearest(name, names) or (f"; known are {', '.join(names)}" if names else "; none is configured")
        raise UnknownName(f"there is no report {name!r}{hint}")
    return found


def report_now(app: App, name: str) -> Table:
    """A report as it is now. Raises `UnknownName`."""
    return make(app, report_called(app, name), app.clock.now())


def as_json(table: Table) -> dict[str, Any]:
    """A report for scripts: its rows as objects, with the value of the group."""
    rows = [
        {**dict(zip(table.columns, row, strict=True)), **({table.group_by: group.name} if table.group_by else {})}
        for group in table.groups
        for row in group.rows
    ]
    return {"title": table.title, "at": table.at, "count": table.count, "left_out": table.left_out, "records": rows}
