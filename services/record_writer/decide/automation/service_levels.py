"""Service levels: when the desk has to have responded to a record, and resolved it (TI-35). Pure.

The first service level of the configuration that fits a record holds. Its targets count working time from the creation
of the record on: a response is the first change by somebody who works at the desk, or the resolution; a resolution is
a status that is resolved or closed. A paused target counts nothing. A reopened record goes on with the time that it had
left. What is due next is stored with the record, so that the schedule finds it by an index.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.record_writer.decide.automation.business_rules import Occasion
from services.record_writer.decide.facts import UNSPECIFIED
from services.record_writer.decide.record.values import revision
from shared.conditions import Compared, holds
from shared.config.calendars import hours_named
from shared.config.keys import SLA_TARGETS
from shared.config.model import Configuration, RecordType, Sla
from shared.contracts.change import Activity, Change, ServiceLevel, ServiceTarget
from shared.contracts.events import ServiceTargetReached
from shared.lazy_dataclass import dataclass
from shared.record_values import value_of
from shared.store.record import Record, after_change
from shared.working_time import between, end_of

SERVICE_LEVEL: Final = "service-level"
"""The kind of the activity that says that a target is near or has passed."""
AUTHOR: Final = "service levels"
NONE: Final = ServiceLevel("")


def with_service_level(change: Change, before: Record | None, occasion: Occasion) -> Change:
    """The change with the targets that the record has after it. `before` None: a new record."""
    had = change.service or (before.service if before else None)
    if change.action == "none" or not (occasion.configuration.slas or had):
        return change
    type_ = occasion.configuration.type_named(change.type)
    if type_ is None:
        return change
    below = tuple(with_service_level(each, None, replace(occasion, by_desk=False)) for each in change.subordinates)
    change = replace(change, subordinates=below)
    record = after_change(change, before, occasion.now)
    sla = level_for(record, occasion.configuration)
    responded_at = _responded_at(record, type_, had or NONE, occasion, is_new=before is None)
    has = _without_targets(had, responded_at)
    if sla:
        has = _Targets(record, type_, sla, had or NONE, occasion, responded_at, is_new=before is None).level()
    return change if has == (before.service if before else None) else replace(change, service=has)


def level_for(record: Record, configuration: Configuration) -> Sla | None:
    """The service level that holds for a record; none for one that is deleted."""
    fitting = (each for each in configuration.slas if each.on == record.type and not record.deleted)
    return next((each for each in fitting if _holds(each, record)), None)


def _holds(sla: Sla, record: Record) -> bool:
    return all(holds(condition, Compared(value_of(record, name))) for name, condition in sla.when.items())


def _without_targets(had: ServiceLevel | None, responded_at: datetime | None) -> ServiceLevel | None:
    """What is remembered for a later service level: what has fired, so that it never fires again, and the response."""
    return ServiceLevel("", fired=had.fired, responded_at=responded_at) if had else None


def _responded_at(
    record: Record, type_: RecordType, had: ServiceLevel, occasion: Occasion, *, is_new: bool
) -> datetime | None:
    """When the desk responded first, whatever service level held then; None before."""
    former = had.target("respond")
    if at := had.responded_at or (former.met_at if former else None):
        return at
    is_response = (occasion.by_desk and not is_new) or type_.statuses.group(record.status) != "open"
    return occasion.now if is_response else None


@dataclass(frozen=True, slots=True)
class _Targets:
    """The targets of a record after a change, made from those that it had."""

    record: Record
    type_: RecordType
    sla: Sla
    had: ServiceLevel
    occasion: Occasion
    responded_at: datetime | None
    is_new: bool

    def level(self) -> ServiceLevel:
        """The service level with its targets."""
        return ServiceLevel(self.sla.name, tuple(self._targets()), self.had.fired, self.responded_at)

    def _targets(self) -> Iterator[ServiceTarget]:
        for kind in SLA_TARGETS:
            if (length := getattr(self.sla, kind)) is not None:
                yield self._target(kind, length)

    def _target(self, kind: str, length: timedelta) -> ServiceTarget:
        had = self.had.target(kind)
        used, now = self._used(had), self.occasion.now
        if met_at := self._met_at(kind, had):
            due_at = had.due_at if had and self.had.sla == self.sla.name else None
            return ServiceTarget(kind, "met", length.total_seconds(), used, due_at=due_at, met_at=met_at)
        if self.record.status.casefold() in {each.casefold() for each in self.sla.pause_in}:
            return ServiceTarget(kind, "paused", length.total_seconds(), used)
        if had and had.state == "running" and had.since and self.had.sla == self.sla.name:
            return self._running(kind, length, had.used_seconds, had.since)
        return self._running(kind, length, used, now)

    def _running(self, kind: str, length: timedelta, used: float, since: datetime) -> ServiceTarget:
        """A target that counts since a moment at which `used` seconds were used up."""
        hours = hours_named(self.occasion.configuration, self.sla.calendar)
        left = max(length - timedelta(seconds=used), timedelta())
        warning = max(left - self.sla.warn_before, timedelta()) if self.sla.warn_before else None
        warn_at = None if warning is None else end_of(since, warning, hours)
        due_at = end_of(since, left, hours)
        return ServiceTarget(kind, "running", length.total_seconds(), used, since, due_at, warn_at)

    def _used(self, had: ServiceTarget | None) -> float:
        """The seconds of working time that are used up by now."""
        now, configuration = self.occasion.now, self.occasion.configuration
        if had is None:
            begun = self.record.created_at if not self.is_new and self.record.created_at else now
            return between(begun, now, hours_named(configuration, self.sla.calendar)).total_seconds()
        if had.state != "running" or had.since is None:
            return had.used_seconds
        former = next((each for each in configuration.slas if each.name == self.had.sla), self.sla)
        return had.used_seconds + between(had.since, now, hours_named(configuration, former.calendar)).total_seconds()

    def _met_at(self, kind: str, had: ServiceTarget | None) -> datetime | None:
        if kind == "respond":
            return self.responded_at
        if self.type_.statuses.group(self.record.status) == "open":
            return None
        return had.met_at if had and had.met_at else self.occasion.now


def reached(record: Record, event: ServiceTargetReached, occasion: Occasion) -> Change | None:
    """The change that says that a target is near, or has passed; None when that is not so any more, or was said."""
    level, now = record.service, occasion.now
    target = level.target(event.target) if level and level.sla == event.sla else None
    if level is None or target is None or record.deleted:
        return None
    at = dict(level.moments(target)).get(event.event)
    if at is None or at > now or (event.event == "due" and target.due_at and target.due_at <= now):
        return None
    said = [level.key(target, event.event)]
    if event.event == "breached" and (warning := level.key(target, "due")) not in level.fired:
        said.append(warning)
    text = _SENTENCES[event.event].format(sla=level.sla, target=_WORDS[target.kind], due=occasion.due)
    return replace(
        revision(
            record,
            f"sla_{event.event}",
            activities=(Activity(SERVICE_LEVEL, text, AUTHOR, security_profile=UNSPECIFIED),),
            why=(text,),
        ),
        service=replace(level, fired=(*level.fired, *said)),
    )


def due_in_words(target: ServiceTarget, configuration: Configuration) -> str:
    """When a target is due, in the desk's time zone."""
    zone = configuration.settings.timezone
    return f"{target.due_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}" if target.due_at else ""


_WORDS: Final = {"respond": "the response", "resolve": "the resolution"}
_SENTENCES: Final = {
    "due": "{sla}: {target} is due at {due}",
    "breached": "{sla}: {target} was due at {due} and is late",
}
