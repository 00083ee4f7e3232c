"""Firings that are older than `settings.keep_journal`: no message about them comes again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.schedule.sweep import Look, Sweep

if TYPE_CHECKING:
    from shared.app import App


def sweep(app: App) -> Sweep:
    """The sweep of an app's firings."""

    def look(after: str, limit: int, now: datetime) -> Look:
        before = now - app.directory.current().settings.keep_journal
        firings = app.firings.page(after, limit)
        due = [each.id for each in firings if each.at < before]
        return Look(due, firings[-1].id if len(firings) == limit else "")

    def apply(found: Look, _now: datetime) -> None:
        app.firings.remove(found.due)

    return Sweep("firings", "notes of what the clock caused", timedelta(days=1), look, apply)
