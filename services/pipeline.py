"""The whole system as tables: the stages, the queue of each event, and what is announced to integrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import services.dead_letter.stage
import services.exporter.stage
import services.filter.stage
import services.notifier.stage
import services.parser.stage
import services.record_writer.stage
import services.sender_matcher.stage
from services.queues import EXPORTER, FILTER, NOTIFIER, RECORD_WRITER, SENDER_MATCHER
from shared.app import App
from shared.contracts.events import (
    Event,
    ExportWanted,
    IncidentWanted,
    MailAccepted,
    MailParsed,
    MailRejected,
    NotificationQueued,
    RecordChanged,
    SenderMatched,
)
from shared.runtime.stage import Stage

STAGES: Mapping[str, Callable[[App], Stage]] = {
    "parser": services.parser.stage.build,
    "filter": services.filter.stage.build,
    "sender-matcher": services.sender_matcher.stage.build,
    "record-writer": services.record_writer.stage.build,
    "exporter": services.exporter.stage.build,
    "notifier": services.notifier.stage.build,
    "dead-letter": services.dead_letter.stage.build,
}

ROUTES: Mapping[type[Event], str] = {
    MailParsed: FILTER,
    MailAccepted: SENDER_MATCHER,
    SenderMatched: RECORD_WRITER,
    IncidentWanted: RECORD_WRITER,
    NotificationQueued: NOTIFIER,
    ExportWanted: EXPORTER,
}
"""Event → the queue that reads it."""

ANNOUNCED: Mapping[type[Event], Callable[[Event], str]] = {
    MailRejected: lambda _: "mail.rejected",
    RecordChanged: lambda event: f"record.{event.action}" if isinstance(event, RecordChanged) else "record.changed",
}
"""Event → its name on the events exchange, for integrators."""


def addressees(event: Event) -> Sequence[str]:
    """Where an event goes: its queue, and its name on the events exchange; none when it has no reader."""
    queue, announced = ROUTES.get(type(event)), ANNOUNCED.get(type(event))
    return [*([queue] if queue else []), *([announced(event)] if announced else [])]
