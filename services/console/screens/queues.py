"""Queues: what waits for each stage, who reads it; pause and resume a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.console.endpoints import Endpoint
from services.console.visit import Forbidden
from services.operator.health.queue_rates import RATES
from services.operator.health.queues import queue_states, use_management
from services.operator.health.stages import pause_stage, paused_stages, resume_stage, stage_of_queue
from services.operator.permissions.access import Right
from services.operator.permissions.writes import Write

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.console.visit import Visit


SOURCES: Final = (
    ("fetcher", "visits mailboxes"),
    ("schedule", "service levels, reports, clean-up"),
)
"""Sources, and what each does."""


def every_queue(visit: Visit) -> Response:
    """The page."""
    app = visit.app
    use_management(app)
    states = queue_states(app)
    rates, pauses = RATES.look(app, states), paused_stages(app)
    stages = {each.name: stage_of_queue(each.name) for each in states}
    rows = [(each, rates.get(each.name), stages[each.name], pauses.get(stages[each.name] or "")) for each in states]
    sources = [(name, what, pauses.get(name)) for name, what in SOURCES]
    may_switch = visit.who.may(Right.OPERATE) and visit.who.inboxes is None
    recent = list(app.pauses.recent(10))
    return visit.page("queues.html", rows=rows, sources=sources, recent=recent, may_switch=may_switch)


def pause(visit: Visit) -> Response:
    """Pause a stage or source, in every process."""
    stage, reason = _stage(visit), visit.reason(needed=True)
    pause_stage(visit.app, stage, by=visit.who.name, reason=reason)
    visit.note(Write.PAUSED_STAGE, stage, reason)
    return visit.back("/queues", f"{stage} is paused; its messages wait.")


def resume(visit: Visit) -> Response:
    """Let it work again."""
    stage = _stage(visit)
    resume_stage(visit.app, stage, by=visit.who.name, reason=visit.reason())
    visit.note(Write.RESUMED_STAGE, stage)
    return visit.back("/queues", f"{stage} works again.")


def _stage(visit: Visit) -> str:
    """The stage that is meant; it works for all inboxes, so that who may see some of them switches none."""
    if visit.who.inboxes is not None:
        raise Forbidden("a stage works for all inboxes, and you see some of them")
    return visit.values["stage"]


ENDPOINTS: Final = (
    Endpoint("GET", "/queues", Right.VIEW, every_queue, title="Queues"),
    Endpoint("POST", "/queues/{stage}/pause", Right.OPERATE, pause),
    Endpoint("POST", "/queues/{stage}/resume", Right.OPERATE, resume),
)
