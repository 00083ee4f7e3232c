"""The first screen: what is wrong, whether every mail is accounted for, and how the work flows."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

from services.console.endpoints import Endpoint
from services.operator.health.conservation import ConservationReport, check
from services.operator.health.doctor import Finding, findings, not_swept
from services.operator.health.queues import queue_states
from services.operator.inbox.inboxes import inbox_views
from services.operator.mail.dead_letter_causes import causes
from services.operator.permissions.access import Right
from shared.contracts.errors import Unavailable
from shared.lazy_dataclass import dataclass
from shared.store.mails import MailQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.responses import Response

    from services.console.visit import Visit
    from services.operator.mail.dead_letter_causes import LetterCause
    from shared.app import App

T = TypeVar("T")
HOURS: Final = 24
WIDTH, HEIGHT = 240, 40
MAX_LETTERS: Final = 500
MAX_CAUSES: Final = 8
MAX_AN_HOUR: Final = 20_000
"""Mails of one hour that are counted."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Mails received in each of the last hours, the oldest first, and the points of a line through them (SVG)."""

    counts: tuple[int, ...]

    @property
    def points(self) -> str:
        """Of a polyline in a box of `WIDTH` by `HEIGHT`."""
        most = max(self.counts, default=0) or 1
        step = WIDTH / max(1, len(self.counts) - 1)
        return " ".join(
            f"{place * step:.1f},{HEIGHT - 2 - (HEIGHT - 4) * count / most:.1f}"
            for place, count in enumerate(self.counts)
        )


def overview(visit: Visit) -> Response:
    """The page; a part whose dependency cannot be reached says so, the others are shown."""
    app = visit.app
    report = None if visit.who.inboxes else _part(lambda: check(app))
    values: dict[str, Any] = {
        "findings": [] if visit.who.inboxes else _findings(app, report),
        "report": report,
        "queues": _part(lambda: queue_states(app)),
        "inboxes": [each for each in inbox_views(app) if visit.who.sees(each.inbox.name)],
        "causes": _causes(visit),
        "curve": _curve(visit),
        "box": (WIDTH, HEIGHT),
    }
    visit.last.keep_overview(visit.who, app.clock.now(), values)
    return visit.page("overview.html", **values)


def _findings(app: App, report: ConservationReport | None) -> list[Finding]:
    """What is not in order, problems first; the conservation of mails as the page shows it."""
    found = [each for each in findings(app, without=["conservation", "sweeps"]) if each.status != "ok"]
    found += _part(lambda: list(not_swept(app))) or []
    found += [Finding("conservation", "problem", each) for each in report.problems] if report else []
    return sorted(found, key=lambda each: each.status != "problem")


def _part(look: Callable[[], T]) -> T | None:
    """What is seen; None when the dependency cannot be reached."""
    try:
        return look()
    except Unavailable:
        return None


def _causes(visit: Visit) -> Sequence[LetterCause]:
    """The causes of the newest open dead letters, that of most letters first."""
    return causes(visit.app, visit.who.inboxes, MAX_LETTERS).causes[:MAX_CAUSES]


def _curve(visit: Visit) -> Curve:
    return Curve(received_by_hour(visit.app)) if visit.who.inboxes is None else Curve(())


def received_by_hour(app: App) -> tuple[int, ...]:
    """Mails received in each of the last 24 hours, the oldest first."""
    now = app.clock.now()
    ends = [now - timedelta(hours=hours) for hours in range(HOURS, -1, -1)]
    return tuple(
        app.mails.count_at_most(MailQuery(since=start, before=end), MAX_AN_HOUR) for start, end in pairwise(ends)
    )


ENDPOINTS: Final = (Endpoint("GET", "/", Right.VIEW, overview, title="Overview"),)
