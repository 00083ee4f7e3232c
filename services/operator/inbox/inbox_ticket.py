"""Writes the ticket about an inbox that stopped (TI-10), and the note that it is read again. Safe to repeat.

The fetcher calls these. Separate from the record writer, because no mail is the cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.operator.service_desk.manual_edits import finish, occasion
from services.record_writer.commit import commit_creation
from services.record_writer.decide.automation.consequences import settled
from services.record_writer.decide.inbox_ticket import StoppedInbox, plan_recovery, plan_ticket, ticket_id
from services.record_writer.stage import stores_of
from services.record_writer.store_lookups import StoreLookups
from shared.contracts.errors import Unavailable

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import Inbox


def make_ticket(app: App, inbox: Inbox, reason: str, stop_id: str) -> None:
    """Make the ticket about a stop, once. Raises `PostroomError`."""
    configuration, stores, now = app.directory.current(), stores_of(app), app.clock.now()
    lookups = StoreLookups(stores, configuration.settings.plus_addressing)
    planned = plan_ticket(StoppedInbox(inbox, reason, stop_id), configuration, lookups)
    planned = settled(planned, None, occasion(app, now))
    if made := commit_creation(planned, configuration, stop_id, now, stores):
        finish(app, made, stop_id, now)


def note_recovery(app: App, inbox: Inbox, stop_id: str) -> None:
    """Note on the ticket that the inbox is read again. Raises `Unavailable` when somebody else changes it just now."""
    record = app.records.get(ticket_id(stop_id))
    if record is None or record.deleted:
        return
    cause, now = f"{stop_id}/recovered", app.clock.now()
    planned = settled(plan_recovery(record, inbox), record, occasion(app, now))
    if not app.records.commit(record, planned, cause, now):
        raise Unavailable(f"the ticket {record.number} is being changed; its note is written after the next visit")
    finish(app, planned, cause, now)
