"""Stages and sources as an operator pauses and resumes them; workers obey within seconds, in every process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from services.operator.errors import NotAvailable, UnknownName
from services.pipeline import STAGES

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.pauses import StagePause


def stage_names() -> tuple[str, ...]:
    """Everything that can be paused, in the order of a mail's journey."""
    return ("fetcher", *STAGES, "schedule")


def stage_of_queue(queue: str) -> str | None:
    """The stage that reads a queue; None for the retry tiers and the parked messages."""
    return next((each.name for each in STAGES.values() if each.queue == queue), None)


def paused_stages(app: App) -> Mapping[str, StagePause]:
    """The pauses in force, by stage."""
    return app.pauses.current()


def pause_stage(app: App, stage: str, *, by: str, reason: str) -> StagePause:
    """Pause a stage in every process, also in those that start later, until it is resumed.

    Raises `UnknownName`, and `NotAvailable` when it is paused already.
    """
    require_stage(stage)
    if found := app.pauses.current().get(stage):
        raise NotAvailable(f"{stage} is {found.sentence}")
    return app.pauses.begin(stage, at=app.clock.now(), by=by, reason=reason.strip())


def resume_stage(app: App, stage: str, *, by: str, reason: str = "") -> None:
    """Let a stage work again. Raises `UnknownName`, and `NotAvailable` when it is not paused."""
    require_stage(stage)
    if not app.pauses.end(stage, at=app.clock.now(), by=by, reason=reason.strip()):
        raise NotAvailable(f"{stage} is not paused")


def require_stage(stage: str) -> None:
    """Raises `UnknownName` with the names that are known."""
    if stage not in stage_names():
        raise UnknownName(f"there is no stage {stage!r}; known are {', '.join(stage_names())}")
