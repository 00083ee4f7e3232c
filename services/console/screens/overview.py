"""The first screen: what is wrong, whether every mail is accounted for, and how the work flows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from services.console.endpoints import Endpoint
from services.operator.access import Right
from services.operator.conservation import check
from services.operator.doctor import Finding, findings
from services.operator.inboxes import inbox_views
from services.operator.queues import queue_states
from shared.contracts.errors import Unavailable
from shared.store.dead_letters import LetterQuery

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from services.console.visit import Visit
    from shared.app import App

T = TypeVar("T")
HOURS: Final = 24
WIDTH, HEIGHT = 240, 40
MAX_LETTERS: Final = 500


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
    found = list[Finding]() if visit.who.inboxes else [each for each in findings(app) if each.status != "ok"]
    return visit.page(
        "overview.html",
        findings=_sorted(found),
        report=None if visit.who.inboxes else _part(lambda: check(app, patience=0)),
        queues=_part(lambda: queue_states(app)),
        inboxes=[each for each in inbox_views(app) if visit.who.sees(each.inbox.name)],
        causes=_causes(visit),
        curve=_curve(visit),
        box=(WIDTH, HEIGHT),
    )


def _part(look: Callable[[], T]) -> T | None:
    """What is seen; None when the dependency cannot be reached."""
    try:
        return look()
    except Unavailable:
        return None


def _sorted(found: list[Finding]) -> list[Finding]:
    return sorted(found, key=lambda each: each.status != "problem")


def _causes(visit: Visit) -> list[tuple[str, str, int]]:
    """Stage, reason and number of the newest open dead letters, the most frequent first."""
    letters = visit.app.dead_letters.recent(LetterQuery("open"), MAX_LETTERS)
    counts = Counter((each.stage, each.reason) for each in letters if visit.who.sees(each.inbox))
    return [(stage, reason, count) for (stage, reason), count in counts.most_common(8)]


def _curve(visit: Visit) -> Curve:
    return Curve(received_by_hour(visit.app)) if visit.who.inboxes is None else Curve(())


def received_by_hour(app: App) -> tuple[int, ...]:
    """Mails received in each of the last 24 hours, the oldest first."""
    now = app.clock.now()
    counts = [app.mails.count_since(now - timedelta(hours=hours)) for hours in range(HOURS, 0, -1)]
    return tuple(here - later for here, later in zip(counts, [*counts[1:], 0], strict=True))


ENDPOINTS: Final = (Endpoint("GET", "/", Right.VIEW, overview, title="Overview"),)
