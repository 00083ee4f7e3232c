"""`postroom queues`: depth, age of the oldest message, and consumers; pause and resume a stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from services.cli import output
from services.cli.base import Command, Group, as_json, note, opened, who
from services.operator.health.queues import QueueState, queue_states, ready_per_second, use_management
from services.operator.permissions.writes import Write
from shared.store.settings import timezone as timezone_of

if TYPE_CHECKING:
    from shared.app import App


@click.group(cls=Group, invoke_without_command=True)
@click.option("--watch", is_flag=True, help="Refresh every two seconds, until Ctrl-C.")
@click.option("--interval", type=click.FloatRange(0.2), default=2.0, hidden=True)
@click.pass_context
def queues(context: click.Context, *, watch: bool, interval: float) -> None:
    """Show depth, age and consumers of every queue; pause and resume a stage."""
    if context.invoked_subcommand is None:
        _watch(watch=watch, interval=interval)


def _watch(*, watch: bool, interval: float) -> None:
    with opened() as app, suppress(KeyboardInterrupt):
        use_management(app)
        before: Sequence[QueueState] = ()
        while True:
            states = queue_states(app)
            _show(states, before, interval)
            _show_paused(app)
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


def _show_paused(app: App) -> None:
    """What is paused, sources included; in JSON each queue has `paused`."""
    if as_json():
        return
    zone = timezone_of(app.documents)
    for stage, pause in app.pauses.current().items():
        click.echo(output.safe(f"{stage} is {pause.sentence}, since {output.local(pause.at, zone)}"))


@queues.command(cls=Command)
@click.argument("stage")
@click.option("--reason", required=True, metavar="TEXT", help="Shown by queues and doctor, and kept.")
def pause(stage: str, reason: str) -> None:
    """Let a stage take no more messages, in every process, until it is resumed. Nothing is lost: messages wait."""
    from services.operator.health.stages import pause_stage

    with opened() as app:
        pause_stage(app, stage, by=who(), reason=reason)
        note(app, Write.PAUSED_STAGE, stage, reason)
    output.result({"stage": stage, "state": "paused"}, f"paused  {stage}")


@queues.command(cls=Command)
@click.argument("stage")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the pause.")
def resume(stage: str, reason: str) -> None:
    """Let a stage work again."""
    from services.operator.health.stages import resume_stage

    with opened() as app:
        resume_stage(app, stage, by=who(), reason=reason)
        note(app, Write.RESUMED_STAGE, stage, reason)
    output.result({"stage": stage, "state": "resumed"}, f"resumed  {stage}")


def _known(value: Any, shown: Callable[[Any], str] = str) -> str:
    return "-" if value is None else shown(value)
