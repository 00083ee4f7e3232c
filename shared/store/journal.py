"""The `journal` collection: what every stage decided about a mail, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from operator import attrgetter

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.ids import beginning_under
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One decision about one mail.

    Life: written once, in the batch of the decision, never changed, and removed after `settings.keep_journal`. `id`
    begins with the mail's (`id_under`), so that a mail's entries lie together.
    """

    id: str = field(metadata=named("_id"))
    mail_id: str
    stage: str
    at: datetime
    decision: str
    why: str
    attempt: int = 0


_encode, _decode = to_plain(JournalEntry, STORE), from_plain(JournalEntry, STORE)


class Journal:
    """Keeps entries and finds those of a mail."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, entries: Sequence[JournalEntry]) -> None:
        """Write entries once each; an existing one is not changed."""
        self._documents.insert_many("journal", [_encode(entry) for entry in entries])

    def of_mail(self, mail_id: str) -> list[JournalEntry]:
        """The decisions of every stage about a mail, in order of time."""
        found = self._documents.find("journal", {"_id": {"$prefix": beginning_under(mail_id)}})
        return sorted(map(_decode, found), key=attrgetter("at"))

    def page(self, start: str, limit: int) -> list[JournalEntry]:
        """Entries from one id on, in the order of ids."""
        found = self._documents.find("journal", {"_id": {"$gte": start}}, sort=(("_id", 1),), limit=limit)
        return list(map(_decode, found))

    def remove(self, ids: Sequence[str]) -> None:
        """Remove entries."""
        if ids:
            self._documents.delete("journal", {"_id": {"$in": list(ids)}})
