"""Views of people: summaries for lists, and one person with the mail history.

The names of the views' fields, and their order, are those of the JSON that scripts rely on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from services.operator.errors import NotAvailable
from services.operator.view import view_of
from shared.store.people import HistoryEntry, StoredPerson

if TYPE_CHECKING:
    from shared.app import App


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """A person in a list."""

    id: str
    name: str
    addresses: tuple[str, ...]
    kind: str | None
    roles: tuple[str, ...]
    permissions: tuple[str, ...]
    format: str | None
    login_id: str | None
    active: bool


@dataclass(frozen=True, slots=True)
class HistoryView:
    """A mail of a person: what it did to which record, and its subject and outcome while the mail is stored."""

    at: datetime
    mail_id: str
    event: str
    type: str
    number: str
    subject: str | None
    outcome: str | None


def person_named(app: App, named: str) -> StoredPerson:
    """The person with this id, else with this address. Raises `NotAvailable`."""
    found = app.people.named(named, plus_addressing=app.directory.current().settings.plus_addressing)
    if found is None:
        raise NotAvailable(f"there is no person {named!r}")
    return found


def summary(person: StoredPerson) -> PersonSummary:
    """A person as lists show it."""
    return view_of(PersonSummary, person)


def history(app: App, person: StoredPerson, limit: int) -> list[HistoryView]:
    """The person's mails, newest first (IV-25)."""
    return [_entry(app, each) for each in app.people.history(person.id, limit)]


def _entry(app: App, entry: HistoryEntry) -> HistoryView:
    mail = app.mails.get(entry.mail_id)
    return view_of(HistoryView, entry, subject=mail and mail.subject, outcome=mail and mail.outcome)
