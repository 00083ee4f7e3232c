"""The canaries of inboxes in words: when a probe last came back, and where the latest one is.

The doctor, the screen of inboxes and the figures ask here, so that all of them call the same canary overdue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.operator.health.standstill import waited, without_addresses
from services.schedule.canaries import KEPT_BACK, hindrance, inboxes_with_canary, unread_reason
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from shared.app import App
    from shared.config.model import Inbox
    from shared.store.canaries import CanaryState
    from shared.store.outbox import OutboxMail

NO_SCHEDULE = "none has been sent: no schedule runs (postroom up, or postroom worker schedule)"


@dataclass(frozen=True, slots=True)
class CanaryView:
    """The canary of one inbox. `probe`: the latest one that is not back; `hindrance`: why none can be sent;
    `unread_reason`: why none is sent now, because the inbox is not read on purpose.

    `is_overdue`: none has come back for longer than the canary is patient.
    """

    inbox: Inbox
    state: CanaryState | None
    probe: OutboxMail | None
    hindrance: str | None
    unread_reason: str | None
    is_overdue: bool

    def last(self, now: datetime) -> str:
        """When a probe last came back, and after how long."""
        state = self.state
        if state is None or state.back_at is None or state.took is None:
            return "no probe has come back yet"
        return f"a probe came back {waited(now - state.back_at)} ago, after {waited(state.took)}"

    def whereabouts(self, now: datetime) -> str:
        """Where the latest probe is, or why there is none; empty while it is back."""
        probe = self.probe
        if why := self.hindrance or self.unread_reason:
            return f"none is sent: {why}"
        if self.state is None or not self.state.probe:
            return NO_SCHEDULE
        if probe is None:
            return ""
        why = f": {without_addresses(probe.reason)}" if probe.reason else ""
        if probe.state in KEPT_BACK:
            held = "is held by an operator" if probe.state == "held" else f"waits for the mail server {probe.server}"
            return f"the latest one {held}{why}"
        if probe.state != "sent":
            return f"the latest one was not sent ({probe.state}){why}"
        return f"the latest one was sent {waited(now - probe.left_at)} ago and is not back{why}"

    def sentence(self, now: datetime) -> str:
        """All that is known of it."""
        return "; ".join(filter(None, (self.last(now), self.whereabouts(now))))


def canary_views(app: App) -> tuple[CanaryView, ...]:
    """Every canary, in the order of the inboxes in the configuration."""
    return tuple(_view(app, each) for each in inboxes_with_canary(app.directory.current()))


def _view(app: App, inbox: Inbox) -> CanaryView:
    assert inbox.canary is not None  # asked before
    state = app.canaries.get(inbox.name)
    probe = app.outbox.get(state.probe) if state and state.is_open else None
    overdue = state is not None and state.is_overdue(inbox.canary.patience, app.clock.now())
    return CanaryView(inbox, state, probe, hindrance(app, inbox), unread_reason(app, inbox), overdue)
