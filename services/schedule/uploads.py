"""Uploads that no blob came of, because their process was killed: they were unfinished a day ago and are so still."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from services.schedule.sweep import SETTLING, Look, Sweep

if TYPE_CHECKING:
    from shared.app import App

FORGOTTEN_AFTER: Final = 7 * SETTLING
"""How long the notes of uploads are kept that were finished after all."""


def sweep(app: App) -> Sweep:
    """The sweep of an app's unfinished uploads."""

    def look(after: str, limit: int, now: datetime) -> Look:
        unfinished, last = app.uploads.page(after, limit)
        due = app.uploads.seen_before(unfinished, now - SETTLING) if unfinished else []
        return Look(due, last, [upload for upload in unfinished if upload not in due])

    def apply(found: Look, now: datetime) -> None:
        app.uploads.note(found.first_seen, now)
        app.uploads.remove(found.due)
        if not found.after:
            app.uploads.forget(now - FORGOTTEN_AFTER)

    return Sweep("uploads", "unfinished uploads", timedelta(days=1), look, apply)
