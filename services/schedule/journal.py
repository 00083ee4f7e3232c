"""Journal entries that are older than `settings.keep_journal`.

A mail without an outcome keeps all its entries, because they say where it is; so does one with an open dead letter,
because a person still has to decide about it. A desk whose first mail is not as old has nothing to look through.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.schedule.sweep import Look, Sweep
from shared.store.mails import MailQuery

if TYPE_CHECKING:
    from shared.app import App


def sweep(app: App) -> Sweep:
    """The sweep of an app's journal."""

    def look(after: str, limit: int, now: datetime) -> Look:
        before = now - app.directory.current().settings.keep_journal
        first = None if after else app.mails.oldest(MailQuery())
        if first is not None and first.received_at >= before:
            return Look((), "")
        entries = app.journal.page(after, limit)
        old = [entry for entry in entries if entry.at < before]
        needed = _needed(app, {entry.mail_id for entry in old}) if old else set()
        due = [entry.id for entry in old if entry.mail_id not in needed]
        return Look(due, entries[-1].id if len(entries) == limit else "")

    def apply(found: Look, _now: datetime) -> None:
        app.journal.remove(found.due)

    return Sweep("journal", "journal entries", timedelta(days=1), look, apply)


def _needed(app: App, mail_ids: set[str]) -> set[str]:
    open_letters = {letter.mail_id or "" for letter in app.dead_letters.about(mail_ids) if letter.state == "open"}
    return open_letters | {mail.id for mail in app.mails.with_ids(mail_ids) if mail.outcome is None}
