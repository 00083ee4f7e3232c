"""`postroom queues`: how much waits where, for how long, and who works on it.

A broker that does not know the age of its oldest message leaves it to the journal: the oldest mail whose last
decided stage is the one before the queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from services.cli import output
from services.cli.base import Command, as_json, opened, use_management

if TYPE_CHECKING:
    from shared.app import App
    from shared.runtime.broker import Depth

AFTER: Final[Mapping[str, str]] = {"parser": "filter", "filter": "sender-matcher", "sender-matcher": "record-writer"}
"""Stage → the queue that it fills."""
LOOKED_AT: Final = 500
"""Mails in flight that are looked at for ages, the oldest first."""


@click.command(cls=Command)
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
@click.option("--interval", type=click.FloatRange(0.2), default=2.0, hidden=True)
def queues(*, watch: bool, interval: float) -> None:
    """Show depth, age and consumers of every queue."""
    with opened() as app, suppress(KeyboardInterrupt):
        use_management(app)
        before: Sequence[Depth] = ()
        while True:
            depths = app.broker.depths()
            _tell(depths, ages(app, depths), before, interval)
            if not watch:
                return
            before = depths
            time.sleep(interval)


def ages(app: App, depths: Sequence[Depth]) -> dict[str, float | None]:
    """Seconds that the oldest message of each queue has waited; None where nothing waits or nobody knows."""
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
        oldest["intake"] = arrival.at
    for mail in app.documents.find("mails", {"outcome": None}, sort=(("received_at", 1),), limit=LOOKED_AT):
        last = max(app.journal.of_mail(mail["_id"]), key=lambda entry: entry.at, default=None)
        if last and (queue := AFTER.get(last.stage)):
            oldest[queue] = min(last.at, oldest.get(queue, last.at))
    return oldest


def _tell(
    depths: Sequence[Depth], oldest: Mapping[str, float | None], before: Sequence[Depth], interval: float
) -> None:
    if as_json():
        for each in depths:
            output.emit(_line(each, oldest))
        return
    ready = {each.name: each.ready for each in before}
    output.table(
        ("queue", "ready", "unacked", "consumers", "oldest", *(("change/s",) if before else ())),
        (
            (
                each.name,
                each.ready,
                _known(each.unacked),
                _known(each.consumers),
                _known(oldest.get(each.name), lambda seconds: f"{seconds:.0f} s"),
                *((f"{(each.ready - ready.get(each.name, 0)) / interval:+.1f}",) if before else ()),
            )
            for each in depths
        ),
    )


def _line(depth: Depth, oldest: Mapping[str, float | None]) -> dict[str, Any]:
    return {
        "name": depth.name,
        "ready": depth.ready,
        "unacked": depth.unacked,
        "consumers": depth.consumers,
        "oldest_seconds": oldest.get(depth.name),
    }


def _known(value: Any, shown: Callable[[Any], str] = str) -> str:
    return "-" if value is None else shown(value)
