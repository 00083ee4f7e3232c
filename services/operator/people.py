"""People as an operator sees them: find one, list them, show one with the mail history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable
from services.operator.view import values_of
from shared.lazy_dataclass import dataclass
from shared.store.people import HistoryEntry, StoredPerson

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.mails import StoredMail


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


def history(app: App, person: StoredPerson, limit: int) -> list[HistoryView]:
    """The person's mails, newest first (IV-25)."""
    entries = app.people.history(person.id, limit)
    return [_with_mail(each, app.mails.get(each.mail_id)) for each in entries]


def _with_mail(entry: HistoryEntry, mail: StoredMail | None) -> HistoryView:
    return HistoryView(entry, mail.subject, mail.outcome) if mail else HistoryView(entry, None, None)
