"""The number of mails of each outcome; what a single run has done, and what it could not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.operator.health.standstill import outgoing_mail, paused_stages
from services.operator.inbox.inboxes import unread_inboxes
from shared.lazy_dataclass import dataclass
from shared.store.arrivals import HANDED_IN
from shared.store.mails import OUTCOMES
from shared.store.outbox import QUEUED, OutboxState

if TYPE_CHECKING:
    from services.operator.inbox.inboxes import InboxView
    from shared.app import App

LEFT: Final[tuple[OutboxState, ...]] = ("sent", "failed", "blocked", "unsent", "held", "cancelled")
"""States of outgoing mail that the notifier does not work on any more."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """The result of a single run.

    `done`: mails taken from intake and given an outcome, and outgoing mail sent, failed, …, in this run. `counts`: all
    mails by outcome, and `in_flight`: messages that the pipeline still has to work on. `waiting`: outgoing mail that
    waits. `problems` need a person; `notes` do not.
    """

    done: dict[str, int]
    counts: dict[str, int]
    waiting: int
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        return {
            **self.counts,
            "this_run": {**self.done, "outgoing_waiting": self.waiting},
            "problems": list(self.problems),
        }


class SingleRun:
    """Counts what is there when a run begins, and reports the difference at its end.

    Other processes that work at the same time are counted too.
    """

    def __init__(self, app: App) -> None:
        self._app, self._before = app, _totals(app)

    def report(self) -> RunReport:
        """What was done since the beginning, and what could not be done."""
        after = _totals(self._app)
        done = {name: max(0, count - self._before[name]) for name, count in after.items()}
        unread = unread_inboxes(self._app)
        stuck = tuple(each for each in unread if not each.by_operator)
        now = self._app.clock.now()
        still = (*paused_stages(self._app, now), *outgoing_mail(self._app, now))
        return RunReport(
            done,
            {outcome: after[outcome] for outcome in OUTCOMES} | {"in_flight": self._app.broker.in_flight()},
            self._app.outbox.count(*QUEUED),
            (*map(_unread, stuck), *(each.what for each in still)),
            tuple(_unread(each) for each in unread if each.by_operator),
        )


def _totals(app: App) -> dict[str, int]:
    outcomes = {outcome: app.mails.count(outcome) for outcome in OUTCOMES}
    taken = app.arrivals.count() - app.arrivals.count(HANDED_IN)
    return {"taken": taken, **outcomes, **{f"outgoing_{state}": app.outbox.count(state) for state in LEFT}}


def _unread(inbox: InboxView) -> str:
    state = "is stopped" if inbox.running == "stopped" else "is visited with errors; mail stays there"
    return f"{inbox.inbox.name} {state}: {inbox.reason}"
