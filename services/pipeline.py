"""The whole system as tables: the stages, the queue of each event, and what is announced to integrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from services.queues import EXPORTER, FILTER, NOTIFIER, RECORD_WRITER, SENDER_MATCHER
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
    ServiceTargetReached,
)
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import DEAD_LETTER, INTAKE
from shared.runtime.stage import Stage

if TYPE_CHECKING:
    from shared.app import App


@dataclass(frozen=True, slots=True)
class StageEntry:
    """A stage, made by `build` of its module `stage`. `waits_on_network`, `prepares`: as the stage itself says."""

    name: str
    queue: str
    waits_on_network: bool = False
    prepares: bool = False

    def __call__(self, app: App) -> Stage:
        """The stage on an app."""
        stage: Stage = import_module(f"services.{self.name.replace('-', '_')}.stage").build(app)
        return stage

    def on_demand(self, app: App) -> Stage:
        """The stage, whose modules are imported when its queue first has something: most of a start is imports."""
        stage = cache(lambda: self(app))
        handle, decode = lambda event: stage().handle(event), lambda message: stage().decode(message)
        if not self.prepares:
            return Stage(self.name, self.queue, handle, decode, self.waits_on_network, load=stage)
        return Stage(
            self.name,
            self.queue,
            handle,
            decode,
            self.waits_on_network,
            prepare=lambda event, again: _called(stage().prepare, event, again),
            weight=lambda event: stage().weight(event),
            look_ahead=lambda event: _called(stage().look_ahead, event),
            load=stage,
        )


def _called(part: Callable[..., Any] | None, *arguments: Any) -> Any:
    """Call a part of a stage that has it, as its entry says."""
    assert part is not None
    return part(*arguments)


STAGES: Mapping[str, StageEntry] = {
    each.name: each
    for each in (
        StageEntry("parser", INTAKE, prepares=True),
        StageEntry("filter", FILTER),
        StageEntry("sender-matcher", SENDER_MATCHER),
        StageEntry("record-writer", RECORD_WRITER),
        StageEntry("exporter", EXPORTER, waits_on_network=True),
        StageEntry("notifier", NOTIFIER, waits_on_network=True),
        StageEntry("dead-letter", DEAD_LETTER),
    )
}

ROUTES: Mapping[type[Event], str] = {
    MailParsed: FILTER,
    MailAccepted: SENDER_MATCHER,
    SenderMatched: RECORD_WRITER,
    IncidentWanted: RECORD_WRITER,
    ServiceTargetReached: RECORD_WRITER,
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
