"""Back-tests that a console runs: one at a time, in a thread of their own, with progress, and stopped by a person.

They live in this process alone: nothing is written, so a restart loses a result and no data.
"""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.operator.errors import NotAvailable
from services.operator.trial.backtest import Backtest, compare_all, new_backtest
from shared.bounded import forget_oldest
from shared.contracts.errors import PostroomError
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import Configuration
    from shared.store.mails import MailQuery

log = logging.getLogger(__name__)

END_SECONDS: Final = 30.0
"""A mail that is being compared is finished."""
KEPT: Final = 5
"""Results that are kept; the oldest goes first."""


@dataclass(slots=True)
class Run:
    """One back-test: who asked for it, how far it has come, and how it ended (`problem`: why it could not go on)."""

    id: str
    by: str
    at: datetime
    chosen: str
    found: Backtest
    state: str = "running"
    problem: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread = field(default_factory=threading.Thread)

    @property
    def sentence(self) -> str:
        """The result so far."""
        far = "" if self.state == "done" else f"{self.state}: {self.found.done:,} of {self.found.total:,} compared; "
        return far + self.found.sentence


class Runs:
    """The back-tests of one process."""

    def __init__(self) -> None:
        self._runs, self._lock = dict[str, Run](), threading.Lock()

    def start(self, app: App, changed: Configuration, query: MailQuery, by: str, chosen: str) -> Run:
        """Begin one. Raises `NotAvailable` while another one runs."""
        run = Run(uuid.uuid4().hex, by, app.clock.now(), chosen, new_backtest(app, query))
        with self._lock:
            if any(each.state == "running" for each in self._runs.values()):
                raise NotAvailable("a back-test is running; wait for its end, or stop it")
            self._runs[run.id] = run
            forget_oldest(self._runs, KEPT)
        run.thread = threading.Thread(target=_work, args=(app, changed, query, run), name="backtest", daemon=True)
        run.thread.start()
        return run

    def get(self, id_: str) -> Run | None:
        """One of them."""
        return self._runs.get(id_)

    def end(self) -> None:
        """Stop what runs, and wait for it: the store is closed next."""
        for run in self.every():
            run.stop.set()
        for run in self.every():
            if run.thread.is_alive():
                run.thread.join(END_SECONDS)

    def every(self) -> list[Run]:
        """All that are kept, the newest first."""
        return list(self._runs.values())[::-1]


def _work(app: App, changed: Configuration, query: MailQuery, run: Run) -> None:
    try:
        for _ in compare_all(app, changed, query, run.found):
            if run.stop.is_set():
                run.state = "stopped"
                return
        run.state = "done"
    except PostroomError as error:
        run.problem, run.state = str(error), "failed"
    except Exception:
        log.exception("backtest_failed")
        run.problem, run.state = "this is a bug; the log of the console has its details", "failed"
