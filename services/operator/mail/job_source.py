"""The part of the schedule's process that carries out the jobs of `services.operator.mail.jobs`.

It has a thread and a lease of its own: a person waits for a job, and a long one must not delay service levels and
reports, nor they a job (decision 0155).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from services.operator.mail.jobs import JobRun
from shared.contracts.errors import PostroomError
from shared.runtime.hooks import Hooks, Outage
from shared.runtime.lease import Leases

if TYPE_CHECKING:
    from shared.app import App

PART: Final = "jobs"
WAKE_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 1.0
"""Between two looks at running jobs, so that a stopped one ends and a new one begins."""


class JobSource:
    """The jobs of one process."""

    def __init__(self, app: App, hooks: Hooks | None = None, leases: Leases | None = None) -> None:
        self._run, self._leases = JobRun(app), leases or Leases(app.documents)
        self._app, self._outage = app, Outage(hooks or Hooks(), PART, "")

    def run(self, stop: threading.Event) -> None:
        """Carry out jobs until `stop` is set."""
        while not stop.is_set():
            try:
                self.work(stop)
            except PostroomError as error:
                self._outage.begin(str(error))
            else:
                self._outage.end()
            stop.wait(WAKE_SECONDS)

    def once(self) -> None:
        """Carry out every job, to its end."""
        self.work(threading.Event())

    def work(self, stop: threading.Event) -> None:
        """Carry out what there is; nothing while another process does it."""
        if not self._app.jobs.running() or (lease := self._leases.acquire(PART)) is None:
            return
        with lease:
            while not stop.is_set() and lease.held() and (wait := self._run.step()) is not None:
                stop.wait(min(wait, LONGEST_WAIT_SECONDS))
