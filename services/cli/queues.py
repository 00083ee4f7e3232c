"""`postroom queues`: depth, age of the oldest message, and consumers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import click

from services.cli import output
from services.cli.base import Command, as_json, opened
from services.operator.queues import QueueState, queue_states, ready_per_second, use_management


@click.command(cls=Command)
@click.option("--watch", is_flag=True, help="Refresh every two seconds, until Ctrl-C.")
@click.option("--interval", type=click.FloatRange(0.2), default=2.0, hidden=True)
def queues(*, watch: bool, interval: float) -> None:
    """Show depth, age and consumers of every queue."""
    with opened() as app, suppress(KeyboardInterrupt):
        use_management(app)
        before: Sequence[QueueState] = ()
        while True:
            states = queue_states(app)
            _show(states, before, interval)
            if not watch:
                return
            before = states
            time.sleep(interval)


def _show(states: Sequence[QueueState], before: Sequence[QueueState], interval: float) -> None:
    if as_json():
        for each in states:
            output.emit({**asdict(each), "queue": each.name})
        return
    output.table(
        ("queue", "ready", "unacked", "consumers", "oldest", *(("change/s",) if before else ())),
        (
            (
                each.name,
                each.ready,
                _known(each.unacked),
                _known(each.consumers),
                _known(each.oldest_seconds, lambda seconds: f"{seconds:.0f} s"),
                *((f"{ready_per_second(each, before, interval):+.1f}",) if before else ()),
            )
            for each in states
        ),
    )


def _known(value: Any, shown: Callable[[Any], str] = str) -> str:
    return "-" if value is None else shown(value)
