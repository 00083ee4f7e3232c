"""Schedule: does what is due by the clock.

These are the duties of `DUTIES`, which happen at a time, and the sweeps of `SWEEPS`, which remove. Any number of
processes may run it: a lease lets one at a time work. What is done twice after a lease was lost does nothing more: ids
of duties are derived from what is due, and a sweep removes nothing else. Between two steps of sweeps it pauses, so that
workers get at the store.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from services.schedule import firings, journal, large_events, uploads
from services.schedule.canaries import CanaryRun
from services.schedule.reports import ReportRun
from services.schedule.service_levels import ServiceLevelWatch
from shared.contracts.errors import PostroomError
from shared.runtime.hooks import Hooks, Outage, Round
from shared.runtime.lease import Leases

if TYPE_CHECKING:
    from datetime import datetime

    from services.schedule.sweep import Sweep
    from shared.app import App

log = logging.getLogger("postroom.schedule")

PART: Final = "schedule"
WAKE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.2
"""Pause between two steps of sweeps."""
STEPS_OF_A_SINGLE_RUN: Final = 20

SWEEPS: Final[Mapping[str, Callable[[App], Sweep]]] = {
    "journal": journal.sweep,
    "large-events": large_events.sweep,
    "firings": firings.sweep,
    "uploads": uploads.sweep,
}
"""Everything that is removed."""


class Duty(Protocol):
    """Something that happens at a time."""

    def is_due(self, now: datetime) -> bool:
        """Whether there is something to do; it only reads."""

    def work(self, now: datetime, go_on: Callable[[], bool]) -> None:
        """Do what is due, as long as `go_on`. Safe to repeat, and to be done by two processes at once."""


DUTIES: Final[Mapping[str, Callable[[App], Duty]]] = {
    "service-levels": ServiceLevelWatch,
    "reports": ReportRun,
    "canaries": CanaryRun,
}
"""Everything that happens at a time."""


class ScheduleSource:
    """The schedule of one process."""

    def __init__(
        self,
        app: App,
        hooks: Hooks | None = None,
        leases: Leases | None = None,
        *,
        pause_reason: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._app, self._leases, self._pause_reason = app, leases or Leases(app.documents), pause_reason
        self._hooks = hooks or Hooks()
        self._outage, self._pause = (Outage(self._hooks, PART, "") for _ in range(2))
        self._sweeps = [build(app) for build in SWEEPS.values()]
        self._duties = [build(app) for build in DUTIES.values()]

    def run(self, stop: threading.Event) -> None:
        """Do what is due until `stop` is set."""
        while not stop.is_set():
            try:
                self.sweep(stop)
            except PostroomError as error:
                self._outage.begin(str(error), "unavailable")
            else:
                self._outage.end()
            stop.wait(WAKE_SECONDS)

    def once(self) -> None:
        """Do what is due, or a part of it when it is much."""
        self.sweep(threading.Event(), most=STEPS_OF_A_SINGLE_RUN, pause=0)

    def sweep(self, stop: threading.Event, *, most: int | None = None, pause: float = PAUSE_SECONDS) -> None:
        """Do the duties and steps that are due, up to a limit; none while paused or while another process works."""
        if self._is_paused():
            return
        duties, due = self._due_duties(), self._due()
        if not (duties or due) or (lease := self._leases.acquire(PART)) is None:
            return
        done = 0
        with lease:
            for duty in duties:
                duty.work(self._app.clock.now(), lambda: lease.held() and not stop.is_set())
            while due and done != most and not stop.is_set() and lease.held():
                self._step(due[0])
                done += 1
                due = self._due()
                stop.wait(pause if due else 0)

    def _is_paused(self) -> bool:
        self._hooks(Round(PART))
        reason = self._pause_reason()
        if reason is None:
            self._pause.end()
            return False
        self._pause.begin(reason)
        return True

    def _due_duties(self) -> list[Duty]:
        now = self._app.clock.now()
        return [duty for duty in self._duties if duty.is_due(now)]

    def _due(self) -> list[Sweep]:
        now = self._app.clock.now()
        return [sweep for sweep in self._sweeps if sweep.is_due(self._app.sweeps.state(sweep.name), now)]

    def _step(self, sweep: Sweep) -> None:
        self._hooks(Round(PART))
        with self._app.documents.batch():
            state = sweep.step(self._app.sweeps, self._app.clock.now())
        if not state.after and state.last_removed:
            log.info("swept", extra={"what": sweep.name, "removed": state.last_removed})
