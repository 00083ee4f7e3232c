"""Mails as people see them: find one, list them, and what every stage decided about one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable
from services.operator.finding import find_one
from services.operator.view import values_of
from shared.store.dead_letters import LetterQuery

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.journal import JournalEntry
    from shared.store.mails import MailQuery, StoredMail

STAGES: Final = (
    "fetcher",
    "parser",
    "filter",
    "sender-matcher",
    "record-writer",
    "exporter",
    "dead-letter",
    "notifier",
)
"""In the order in which a mail meets them."""
MAX_NAMED: Final = 5
"""Mails with one Message-ID that an error names."""
SHORT_ID: Final = 12
"""Characters of an id that lists and hints show."""


@dataclass(frozen=True, slots=True)
class MailView:
    """One mail, what every stage decided about it in order, and what a person may do next."""

    mail: StoredMail
    journal: tuple[JournalEntry, ...]
    next_step: str | None

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        return {**mail_as_json(self.mail), "journal": [entry_as_json(entry) for entry in self.journal]}


def view_mail(app: App, mail: StoredMail) -> MailView:
    """Everything that is shown of one mail."""
    return MailView(mail, tuple(journal_of(app, mail.id)), _next_step(app, mail))


def journal_of(app: App, mail_id: str) -> list[JournalEntry]:
    """The decisions of every stage about a mail, in order."""
    return sorted(app.journal.of_mail(mail_id), key=_in_order)


def _in_order(entry: JournalEntry) -> tuple[datetime, int]:
    """Sort by time, and within one millisecond in the order of the stages."""
    return entry.at, STAGES.index(entry.stage) if entry.stage in STAGES else len(STAGES)


def _next_step(app: App, mail: StoredMail) -> str | None:
    """The command that a person may use next on a mail that made no record."""
    if letter := next(app.dead_letters.recent(LetterQuery("open", mail_id=mail.id), 1), None):
        return f"fix the cause, then: postroom dead-letters replay {letter.id[:SHORT_ID]}"
    if mail.outcome == "rejected":
        return f"to let it through: postroom mails release {mail.id[:SHORT_ID]}"
    return None


def find_mail(app: App, named: str) -> StoredMail:
    """The mail with this id, the beginning of an id, or a Message-ID.

    Raises `NotAvailable` when there is none, or more than one.
    """
    if "@" not in named and not named.startswith("<"):
        return find_one(app.mails, "mail", named)
    several = app.mails.with_message_ids([named])
    if not several:
        raise NotAvailable(f"there is no mail {named!r}")
    if len(several) > 1:
        ids = ", ".join(each.id for each in several[:MAX_NAMED])
        raise NotAvailable(f"{len(several)} mails are called {named}: {ids}")
    return several[0]


def search(app: App, query: MailQuery, text: str) -> Iterator[StoredMail]:
    """Mails with this text in sender, subject or Message-ID, newest first.

    Reads every mail, without an index: slow, for people who know only a part of the text.
    """
    folded = text.casefold()
    return (mail for mail in app.mails.recent(query, 0) if folded in _searched_text(mail))


def _searched_text(mail: StoredMail) -> str:
    sender = (mail.from_.name, mail.from_.address) if mail.from_ else ()
    return "\n".join(part for part in (*sender, mail.subject, mail.message_id) if part).casefold()


def mail_as_json(mail: StoredMail) -> dict[str, Any]:
    """A mail as `mails list --json` prints it."""
    return {
        "mail_id": mail.id,
        "inbox": mail.inbox,
        "from": asdict(mail.from_) if mail.from_ else None,
        **values_of(mail, ("subject", "received_at", "outcome", "reason")),
        "records": [asdict(label) for label in mail.records],
        **values_of(mail, ("message_id", "kind", "size")),
        "sha256": mail.raw,
        "defects": list(mail.defects),
        "released": mail.released,
    }


def entry_as_json(entry: JournalEntry) -> dict[str, Any]:
    """A decision as `mails show --json` prints it."""
    return values_of(entry, ("at", "stage", "decision", "why", "attempt"))
