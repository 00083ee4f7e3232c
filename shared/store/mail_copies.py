"""The `mail_copies` collection: which mail is an edited copy of which, who made it, and what is different."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Final

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents

COPIES: Final = "mail_copies"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCopy:
    """One edited copy.

    Life: written once, before the copy is handed to intake; never changed, and nothing removes it. `id` is the id of
    the copy, `origin` that of the mail it was made of; `difference` are the lines that differ, as a unified diff.
    """

    id: str = field(metadata=named("_id"))
    origin: str
    by: str
    at: datetime
    difference: str
    reason: str = ""


_encode, _decode = to_plain(MailCopy, STORE), from_plain(MailCopy, STORE)


class MailCopies:
    """Keeps and finds copies."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, copy: MailCopy) -> bool:
        """Keep a copy; False when it is kept already."""
        return self._documents.insert(COPIES, _encode(copy))

    def get(self, mail_id: str) -> MailCopy | None:
        """The copy that this mail is; None when it is not a copy."""
        found = self._documents.get(COPIES, mail_id)
        return _decode(found) if found else None

    def of(self, origin: str, limit: int) -> list[MailCopy]:
        """The newest copies of a mail."""
        found = self._documents.find(COPIES, {"origin": origin}, sort=(("at", -1),), limit=limit)
        return [_decode(each) for each in found]
