"""People as an operator sees them: find one, list them, show one with the mail history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable
from services.operator.view import values_of
from shared.lazy_dataclass import dataclass
from shared.store.people import HistoryEntry, StoredPerson

if TYPE_CHECKING:
    from collections.abc import Collection

    from shared.app import App
    from shared.store.mails import StoredMail


LOOKED_THROUGH: Final = 200
"""Mails of a person whose inbox has to be looked up, because an earlier version did not note it."""
_LISTED: Final = ("id", "name", "addresses", "kind", "roles", "permissions", "format", "login_id", "active")


@dataclass(frozen=True, slots=True)
class HistoryView:
    """A mail of a person: what it did to which record, and its subject and outcome while the mail is stored."""

    entry: HistoryEntry
    subject: str | None
    outcome: str | None

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        done = values_of(self.entry, ("at", "mail_id", "event", "type", "number"))
        return {**done, "subject": self.subject, "outcome": self.outcome}


def person_named(app: App, named: str) -> StoredPerson:
    """The person with this id, else with this address. Raises `NotAvailable`."""
    found = app.people.named(named, plus_addressing=app.directory.current().settings.plus_addressing)
    if found is None:
        raise NotAvailable(no_person(named))
    return found


def no_person(named: str) -> str:
    """The sentence for a name that means nobody."""
    return f"there is no person {named!r}"


def summary(person: StoredPerson) -> dict[str, Any]:
    """What lists and the page of a person show."""
    return values_of(person, _LISTED)


def history(app: App, person: StoredPerson, limit: int, *, inboxes: Collection[str] | None = None) -> list[HistoryView]:
    """The person's mails, newest first (IV-25). `inboxes`: mails of these, None: of all."""
    return [_with_mail(each, app.mails.get(each.mail_id)) for each in _entries(app, person.id, limit, inboxes)]


def _entries(app: App, person_id: str, limit: int, inboxes: Collection[str] | None) -> list[HistoryEntry]:
    found = app.people.history(person_id, limit, inboxes=inboxes)
    if inboxes is None:
        return list(found)
    older = app.people.history_without_inbox(person_id, LOOKED_THROUGH)
    of_inboxes = (each for each in older if (mail := app.mails.get(each.mail_id)) and mail.inbox in inboxes)
    return sorted((*found, *of_inboxes), key=lambda each: each.at, reverse=True)[:limit]


def has_written_to(app: App, person: StoredPerson, inboxes: Collection[str]) -> bool:
    """Whether a mail of this person, to one of these inboxes, did something to a record."""
    return bool(_entries(app, person.id, 1, inboxes))


def _with_mail(entry: HistoryEntry, mail: StoredMail | None) -> HistoryView:
    return HistoryView(entry, mail.subject, mail.outcome) if mail else HistoryView(entry, None, None)
