"""Inboxes in words, for people who watch them: state, last visit, last success, what waits, next try, throttling."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.operator.inbox.canaries import CanaryView, canary_views
from services.operator.inbox.inboxes import InboxView, inbox_views
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from shared.app import App

MAX_IN_FLIGHT_READ: Final = 1000
"""Mails in flight among which the oldest of each inbox is looked for, the oldest first."""


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One inbox. Times are None when it never happened, or when it is not known.

    `oldest_waiting_at`: since when its oldest mail without an outcome is in the pipeline. `credential_warning`: when
    its secret or certificate ends soon. `canary`: None when it has none.
    """

    view: InboxView
    state: str
    last_visit_at: datetime | None
    last_success_at: datetime | None
    oldest_waiting_at: datetime | None
    next_visit_at: datetime | None
    throttled_until: datetime | None
    credential_ends: str | None
    credential_warning: str | None
    canary: CanaryView | None = None

    @property
    def name(self) -> str:
        """The name of the inbox."""
        return self.view.inbox.name


def inbox_rows(app: App, inboxes: Collection[str] | None = None) -> tuple[InboxRow, ...]:
    """A row for each inbox in the order of the configuration; `inboxes`: of these, None: of all."""
    now, oldest = app.clock.now(), _oldest_in_flight(app)
    views = (each for each in inbox_views(app) if inboxes is None or each.inbox.name in inboxes)
    canaries = {each.inbox.name: each for each in canary_views(app)}
    return tuple(replace(_row(each, oldest, now), canary=canaries.get(each.inbox.name)) for each in views)


def _oldest_in_flight(app: App) -> Mapping[str, datetime]:
    found: dict[str, datetime] = {}
    for mail in app.mails.in_flight(MAX_IN_FLIGHT_READ):
        found[mail.inbox] = min(mail.received_at, found.get(mail.inbox, mail.received_at))
    return found


def _row(view: InboxView, oldest: Mapping[str, datetime], now: datetime) -> InboxRow:
    state, end = view.state, view.credential_end
    visits = [each for each in (state.polled_at, state.error_at) if each]
    runs = view.running in {"running", "failing"}
    throttled = state.throttled_until if state.throttled_until and state.throttled_until > now else None
    return InboxRow(
        view,
        state_in_words(view),
        max(visits, default=None),
        state.polled_at,
        oldest.get(view.inbox.name),
        state.next_visit_at if runs else None,
        throttled,
        end.day.isoformat() if end else None,
        end.warning(now) if end else None,
    )


def state_in_words(view: InboxView) -> str:
    """What an inbox does, in a few words; `reason` of the view says why."""
    if view.running == "running" and view.inbox.protocol == "none":
        return "takes mail from intake"
    if view.running == "running":
        return "is read" if view.state.polled_at else "has not been visited yet"
    if view.running == "failing":
        return "is visited with errors"
    if view.running == "disabled":
        return "is switched off"
    return "stopped by an operator" if view.by_operator else "stopped"
