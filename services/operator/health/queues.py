"""Queues as an operator sees them: depth, age of the oldest message, and consumers.

A broker that does not know the age of its oldest message leaves it to the journal: the oldest mail whose last
decided stage is the one before the queue.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.operator.health.stages import stage_of_queue
from services.queues import EXPORTER, FILTER, NOTIFIER, RECORD_WRITER, SENDER_MATCHER
from shared.config.values import ENVIRONMENT_REFERENCE
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import DEAD_LETTER, INTAKE, RETRY

if TYPE_CHECKING:
    from shared.app import App
    from shared.runtime.broker import Depth
    from shared.store.pauses import StagePause

NEXT_QUEUE: Final[Mapping[str, str]] = {
    "parser": FILTER,
    "filter": SENDER_MATCHER,
    "sender-matcher": RECORD_WRITER,
    "record-writer": EXPORTER,
    "operator": FILTER,
}
"""Stage → the queue that it fills, while the mail has no outcome."""
AFTER: Final[Mapping[str, str]] = {"retry": RETRY, "wait": RETRY, "failed": DEAD_LETTER}
"""Decision → the queue that it fills, whatever the stage."""
MAX_MAILS_READ: Final = 500
"""Mails in flight whose journals are read for ages, the oldest first."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue. None: not known. `oldest_seconds`: how long its oldest message has waited.

    `paused`: by whom and why the stage that reads it is paused; None when it works.
    """

    name: str
    ready: int
    unacked: int | None
    consumers: int | None
    oldest_seconds: float | None
    paused: str | None = None


def queue_states(app: App) -> tuple[QueueState, ...]:
    """Every queue, in the order of the pipeline. Raises `Unavailable` when the broker does not answer."""
    depths = app.broker.depths()
    oldest, pauses = ages(app, depths), app.pauses.current()
    return tuple(
        QueueState(each.name, each.ready, each.unacked, each.consumers, oldest[each.name], _paused(each.name, pauses))
        for each in depths
    )


def _paused(queue: str, pauses: Mapping[str, StagePause]) -> str | None:
    pause = pauses.get(stage_of_queue(queue) or "")
    return pause.sentence if pause else None


def ready_per_second(now: QueueState, before: Sequence[QueueState], seconds: float) -> float:
    """By how many messages per second each queue grows; a queue that is new counts as empty before."""
    ready = {each.name: each.ready for each in before}
    return (now.ready - ready.get(now.name, 0)) / seconds


def use_management(app: App, environment: Mapping[str, str] = os.environ) -> None:
    """Set the management API's address from a setting: only there RabbitMQ reports unacknowledged messages."""
    if not app.location.broker_url or app.location.management_url:
        return
    if url := app.directory.current().settings.rabbitmq_management_url:
        known = ENVIRONMENT_REFERENCE.sub(lambda found: environment.get(found[1], ""), url)
        setattr(app.broker, "management_url", known)  # noqa: B010 - only RabbitMQ's adapter has it


def ages(app: App, depths: Sequence[Depth]) -> dict[str, float | None]:
    """Seconds that the oldest message of each queue has waited; None where nothing waits or it is not known."""
    known = {each.name: each.oldest_seconds for each in depths}
    unknown = [each.name for each in depths if each.oldest_seconds is None and (each.ready or each.unacked)]
    if not unknown:
        return known
    now = app.clock.now()
    return known | {queue: _age(since, now) for queue, since in _oldest(app).items() if queue in unknown}


def _age(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())


def _oldest(app: App) -> dict[str, datetime]:
    """Since when the oldest mail waits in each queue, by the journal."""
    oldest: dict[str, datetime] = {}
    for arrival in app.arrivals.on_intake(1):
        oldest[INTAKE] = arrival.at
    for mail in app.mails.in_flight(MAX_MAILS_READ):
        last = max(app.journal.of_mail(mail.id), key=lambda entry: entry.at, default=None)
        if last and (queue := AFTER.get(last.decision) or NEXT_QUEUE.get(last.stage)):
            oldest[queue] = min(last.at, oldest.get(queue, last.at))
    for outgoing in app.outbox.queued(1):
        oldest[NOTIFIER] = outgoing.at
    return oldest
