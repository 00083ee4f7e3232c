"""Reports that are due are made and queued: one mail to each mailbox, as text, HTML and a CSV file (TI-34).

Of the times that passed while nothing ran, the latest alone is made up for. The ids of its mails are derived from
report, time and mailbox, and the state is written after them, so a report goes out once, however often it is begun.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from services.queues import NOTIFIER
from services.schedule import report_text
from services.schedule.publishing import publish
from services.schedule.report_table import Table, statuses_of, table
from shared.addresses import address_key, mailbox_key
from shared.config.cron import Cron
from shared.config.model import TEAM_PREFIX, Configuration, Report
from shared.contracts.change import Notification
from shared.contracts.errors import Unavailable
from shared.contracts.events import NotificationQueued
from shared.contracts.mail import Attachment
from shared.ids import derived_id
from shared.runtime.crash_points import crash_point
from shared.sending import sending_side
from shared.store.outbox import QueuedFor
from shared.store.reports import ReportState

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.people import StoredPerson

log = logging.getLogger("postroom.schedule")

KIND: Final = "report"
"""The kind of the mail."""
MAX_RECIPIENTS: Final = 100


class ReportRun:
    """Sends the reports of the configuration when they are due."""

    def __init__(self, app: App) -> None:
        self._app = app

    def is_due(self, now: datetime) -> bool:
        """Whether a report is due, or is seen for the first time."""
        return next(self._due(now), None) is not None

    def work(self, now: datetime, go_on: Callable[[], bool]) -> None:
        """Send what is due. A report that cannot be made is noted, and the others go on."""
        for report, state, at in list(self._due(now)):
            if not go_on():
                return
            self._app.reports.keep(state if at is None else self._made(report, state, at, now))

    def _due(self, now: datetime) -> Iterator[tuple[Report, ReportState, datetime | None]]:
        """Reports with the latest time that is due, None for one that is watched from now on."""
        configuration = self._app.directory.current()
        zone = ZoneInfo(configuration.settings.timezone)
        for report in configuration.reports:
            state = self._app.reports.get(report.name)
            if state is None or state.schedule != report.schedule:
                yield report, ReportState(report.name, report.schedule, now), None
            elif at := Cron.parse(report.schedule).latest(state.last_at, now, zone):
                yield report, state, at

    def _made(self, report: Report, state: ReportState, at: datetime, now: datetime) -> ReportState:
        """The state after the report of this time was made, or could not be."""
        try:
            found = make(self._app, report, now)
            mailboxes = list(recipients_of(self._app, report))
            self._queue(report, found, mailboxes, at, now)
        except Unavailable:
            raise
        except Exception as error:  # one report must not keep the schedule from its other work
            log.exception("report_failed", extra={"report": report.name})
            return replace(state, last_at=at, reason=f"{type(error).__name__}: {error}"[:500])
        log.info("report_sent", extra={"report": report.name, "records": found.count, "recipients": len(mailboxes)})
        return replace(state, last_at=at, sent_at=now, records=found.count, recipients=len(mailboxes), reason="")

    def _queue(self, report: Report, found: Table, mailboxes: list[str], at: datetime, now: datetime) -> None:
        content = report_text.as_csv(found)
        file = Attachment(f"{report.name}.csv", "text/csv", len(content), self._app.documents.put_blob(content))
        text, html = report_text.as_text(found), report_text.as_html(found)
        subject = f"{found.title}: {report_text.counted(found)}"
        configuration = self._app.directory.current()
        sending = sending_side(configuration, configuration.default_inbox, None)
        sending = replace(sending, plus_address=None)  # answers to a report belong to no record
        for mailbox in mailboxes:
            cause = derived_id("report", report.name, at.isoformat(), mailbox_key(mailbox) or mailbox)
            mail = Notification((mailbox,), subject, text, KIND, html=html, attachments=(file,))
            outbox_id = self._app.outbox.add_once(cause, 0, mail, sending, QueuedFor(now))
            crash_point("writer.carried-out")
            publish(self._app, NotificationQueued("", outbox_id), NOTIFIER, cause)


def make(app: App, report: Report, now: datetime) -> Table:
    """The report as it is now. Raises `Unavailable`; `LookupError` when its type is gone."""
    configuration = app.directory.current()
    type_ = configuration.type_named(str(report.query["type"]))
    if type_ is None:
        raise LookupError(f"there is no record type {report.query['type']!r} any more")
    records = app.records.list(0, type_=type_.name, statuses=statuses_of(report, type_))
    return table(report, records, configuration, now)


def recipients_of(app: App, report: Report) -> Iterator[str]:
    """The mailboxes that a report goes to, each once; none of this desk's own."""
    configuration = app.directory.current()
    seen = set(configuration.own_addresses)
    for word in report.to:
        for address in _addresses(app, word, configuration):
            key = mailbox_key(address)
            if key and not {key, address_key(address)} & seen:
                seen.add(key)
                yield address


def _addresses(app: App, word: str, configuration: Configuration) -> Iterator[str]:
    if word.startswith(TEAM_PREFIX):
        yield from _first(app.people.in_group("teams", word.removeprefix(TEAM_PREFIX).strip(), MAX_RECIPIENTS))
    elif word.startswith("@"):
        yield from _first(app.people.in_group("roles", "analyst", MAX_RECIPIENTS))
    elif "@" in word:
        yield word
    elif person := app.people.named(word, plus_addressing=configuration.settings.plus_addressing):
        yield from _first([person] if person.active else [])


def _first(people: Sequence[StoredPerson]) -> Iterator[str]:
    yield from (person.addresses[0] for person in people if person.addresses)
