"""Large events that no message refers to any more.

An event may go when all of this holds: its mail has an outcome; no dead letter about the mail is open, because a letter
holds the message, and a replay would send it again; and its queue was seen empty twice (see `EmptyQueues`), with all
queues to which a message can move from there, the first time when the event was a day old. Whatever is in doubt stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.schedule.sweep import SETTLING, Look, Sweep
from shared.runtime.broker import DEAD_LETTER, PARKED, RETRY

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.dead_letters import DeadLetter
    from shared.store.large_events import LargeEvent


def sweep(app: App) -> Sweep:
    """The sweep of an app's large events."""

    def look(after: str, limit: int, now: datetime) -> Look:
        events = app.large_events.page(after, limit)
        old = [event for event in events if event.at < now - SETTLING]
        return Look(_unused(app, old) if old else [], events[-1].id if len(events) == limit else "")

    def apply(found: Look, now: datetime) -> None:
        empty = [] if found.after else _empty_queues(app)
        app.large_events.remove(found.due)
        app.sweeps.keep_queues(app.sweeps.queues().after_look(empty, now))

    return Sweep("large-events", "large events", timedelta(hours=1), look, apply)


def _unused(app: App, events: Sequence[LargeEvent]) -> list[str]:
    mail_ids = {event.mail_id for event in events}
    finished = {mail.id for mail in app.mails.with_ids(mail_ids) if mail.outcome is not None}
    letters, settled = list(app.dead_letters.about(mail_ids)), app.sweeps.queues().settled
    return [event.id for event in events if event.mail_id in finished and _is_settled(event, letters, settled)]


def _is_settled(event: LargeEvent, letters: Iterable[DeadLetter], settled: Mapping[str, datetime]) -> bool:
    """Whether no message refers to it: neither as it was first sent, nor as a letter about its mail was replayed."""
    moved = [letter.moved_at for letter in letters if letter.mail_id == event.mail_id]
    proven = settled.get(event.queue)
    return proven is not None and event.at + SETTLING < proven and all(at is not None and at < proven for at in moved)


def _empty_queues(app: App) -> list[str]:
    """Queues without messages. It looks twice, because a message may move while the queues are counted."""
    looks = [{each.name: each.ready + (each.unacked or 0) for each in app.broker.depths()} for _ in range(2)]
    held = {name for counts in looks for name, count in counts.items() if count}
    return [] if held & {RETRY, DEAD_LETTER, PARKED} else [name for name in looks[0] if name not in held]
