"""The canaries of inboxes: a probe is mailed to an inbox when it is due, one at a time.

A probe takes the way of all mail, so that it shows every fault on that way: outbox, notifier, mail server, mailbox,
every stage. The record writer counts it (`decide.probe`). While one waits for its mail server, no other is queued. One
that has left and is not back within the patience of the canary is lost, and the next one follows. The id of a probe is
derived from the one before it, and the state is written after it: a crash in between, or two processes at once, still
make one probe.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from services.queues import NOTIFIER
from services.schedule.publishing import publish
from shared.contracts.change import Notification
from shared.contracts.errors import Misconfigured
from shared.contracts.events import NotificationQueued
from shared.ids import derived_id
from shared.runtime.crash_points import crash_point
from shared.sending import probe_hindrance, probe_side
from shared.store.canaries import PROBE
from shared.store.inbox_states import InboxStates
from shared.store.outbox import QUEUED, OutboxMail, QueuedFor
from shared.text import iso

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import Canary, Configuration, Inbox
    from shared.store.canaries import CanaryState

log = logging.getLogger("postroom.schedule")

KEPT_BACK: Final = frozenset({*QUEUED, "held"})
"""States of a probe that has not left yet and may still leave."""
GIVEN_UP: Final = timedelta(days=1)
"""When another is queued all the same: what sends the one before may be gone, such as a dead letter without replay."""
NO_KEY: Final = "nothing signs it; write settings.token_key, which a store that several machines share needs"
TEXT: Final = """\
This mail was sent by the canary of the inbox {inbox}, to see that mail gets through. Postroom takes it out of the
mailbox and makes no record of it. Nobody has to do anything.
"""


class CanaryRun:
    """Sends the probes that are due."""

    def __init__(self, app: App) -> None:
        self._app = app

    def is_due(self, now: datetime) -> bool:
        """Whether a probe is due, or a canary is seen for the first time."""
        return next(self._due(now), None) is not None

    def work(self, now: datetime, go_on: Callable[[], bool]) -> None:
        """Queue a probe for each inbox for which one is due."""
        for inbox in list(self._due(now)):
            if not go_on():
                return
            state = self._app.canaries.begin(inbox.name, now)
            if self._comes_back(inbox):
                self._queue(inbox, state, now)

    def _due(self, now: datetime) -> Iterator[Inbox]:
        for inbox in inboxes_with_canary(self._app.directory.current()):
            state = self._app.canaries.get(inbox.name)
            if state is None or (self._may_send(inbox, state, now) and self._comes_back(inbox)):
                yield inbox

    def _comes_back(self, inbox: Inbox) -> bool:
        """Whether a probe to this inbox can come back, as far as that is known here."""
        return hindrance(self._app, inbox) is None and unread_reason(self._app, inbox) is None

    def _may_send(self, inbox: Inbox, state: CanaryState, now: datetime) -> bool:
        assert inbox.canary is not None  # asked before
        return is_due(inbox.canary, state, self._app.outbox.get(state.probe) if state.is_open else None, now)

    def _queue(self, inbox: Inbox, state: CanaryState, now: datetime) -> None:
        configuration = self._app.directory.current()
        cause = derived_id("canary", inbox.name, iso(state.since), state.probe)
        text = TEXT.format(inbox=inbox.name)
        mail = Notification((inbox.address,), f"Canary of the inbox {inbox.name}", text, PROBE)
        outbox_id = self._app.outbox.add_once(cause, 0, mail, probe_side(configuration, inbox), QueuedFor(now))
        crash_point("writer.carried-out")
        publish(self._app, NotificationQueued("", outbox_id), NOTIFIER, cause)
        self._app.canaries.queued(state, outbox_id, now)
        log.info("canary_sent", extra={"inbox": inbox.name})


def inboxes_with_canary(configuration: Configuration) -> Iterator[Inbox]:
    """The inboxes that are in use and have a canary."""
    return (each for each in configuration.inboxes if each.enabled and each.canary)


def is_due(canary: Canary, state: CanaryState, probe: OutboxMail | None, now: datetime) -> bool:
    """Whether the next probe may be queued. Pure. `probe`: the latest one in the outbox, while it is not back."""
    waited = now - state.queued_at if state.queued_at else None
    if waited is not None and waited < canary.every:
        return False
    if probe is None or waited is None:
        return True
    if probe.state in KEPT_BACK:
        return waited >= GIVEN_UP
    return probe.state != "sent" or now - probe.left_at >= canary.patience


def hindrance(app: App, inbox: Inbox) -> str | None:
    """Why no probe can be sent to an inbox; None when one can."""
    if why := probe_hindrance(app.directory.current(), inbox):
        return why
    try:
        return None if app.reply_tokens.has_key else NO_KEY
    except Misconfigured as error:
        return str(error)


def unread_reason(app: App, inbox: Inbox) -> str | None:
    """Why an inbox is not read on purpose, so that probes would pile up in its mailbox; None when it is read."""
    if inbox.protocol != "none" and not app.directory.current().settings.processing:
        return "processing is off"
    stop = InboxStates(app.documents, app.clock).get(inbox.name).stop
    return f"the inbox is stopped: {stop.reason}" if stop else None
