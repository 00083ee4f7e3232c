"""The whole system as two tables: which stages exist, and which event goes to which queue."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import services.dead_letter.stage
import services.filter.stage
import services.notifier.stage
import services.parser.stage
import services.record_writer.stage
import services.sender_matcher.stage
from shared.app import App
from shared.contracts.events import (
    Event,
    IncidentWanted,
    MailAccepted,
    MailParsed,
    MailRejected,
    NotificationQueued,
    RecordChanged,
    SenderMatched,
)
from shared.errors import Unavailable
from shared.runtime.broker import Message
from shared.runtime.observe import Journal
from shared.runtime.parcel import pack
from shared.runtime.stage import Stage
from shared.runtime.worker import Worker, World, await_world, leave

log = logging.getLogger(__name__)

STAGES: Mapping[str, Callable[[App], Stage]] = {
    "parser": services.parser.stage.build,
    "filter": services.filter.stage.build,
    "sender-matcher": services.sender_matcher.stage.build,
    "record-writer": services.record_writer.stage.build,
    "notifier": services.notifier.stage.build,
    "dead-letter": services.dead_letter.stage.build,
}

ROUTES: Mapping[type[Event], str] = {
    MailParsed: "filter",
    MailAccepted: "sender-matcher",
    SenderMatched: "record-writer",
    IncidentWanted: "record-writer",
    NotificationQueued: "notifier",
}
"""Event → the queue that reads it."""

ANNOUNCED: Mapping[type[Event], Callable[[Event], str]] = {
    MailRejected: lambda _: "mail.rejected",
    RecordChanged: lambda event: f"record.{event.action}" if isinstance(event, RecordChanged) else "record.changed",
}
"""Event → its name on the events exchange, for integrators."""


def world(app: App) -> World:
    """What every worker of this process shares."""

    def messages_for(event: Event, cause: Message, stage: str, index: int) -> Sequence[Message]:
        packed = partial(pack, event, cause=cause, stage=stage, index=index, blobs=app.documents)
        return [packed(to) for to in _readers(event)]

    return World(app.broker, messages_for, app.documents.batch, Journal(app.documents, app.clock), app.documents.ping)


def _readers(event: Event) -> Sequence[str]:
    queue, announced = ROUTES.get(type(event)), ANNOUNCED.get(type(event))
    return [*([queue] if queue else []), *([announced(event)] if announced else [])]


