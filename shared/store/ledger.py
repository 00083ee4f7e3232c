"""The `ledger` collection: which mails of a mailbox were taken, which failed, which were left there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import Final, Literal

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.documents import Document, Documents

LEDGER: Final = "ledger"
EntryState = Literal["taken", "failed", "left"]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One mail that was seen in a mailbox, under its key there.

    Life: `failed`, with its `attempts` and the time of the next one, until it is `taken`, which it stays (`after`: what
    the inbox did with taken mail then). `left`, because it is larger than the limit for downloads, until that limit is
    raised; `size` is None when the server did not say it.
    """

    id: str = field(metadata=named("_id"))
    place: str
    inbox: str
    state: EntryState
    at: datetime
    after: str = ""
    size: int | None = None
    reason: str = ""
    attempts: int = 0
    next_at: datetime | None = None


_MEMBERS: Final = {
    "taken": ("_id", "place", "inbox", "state", "at", "after"),
    "failed": ("_id", "place", "inbox", "state", "at", "reason", "attempts", "next_at"),
    "left": ("_id", "place", "inbox", "state", "at", "size", "reason", "attempts"),
}
"""What is stored of an entry, by its state."""
_to_document, _decode = to_plain(LedgerEntry, STORE), from_plain(LedgerEntry, STORE)


def _encode(entry: LedgerEntry) -> Document:
    document = _to_document(entry)
    return {name: document[name] for name in _MEMBERS[entry.state]}


class LedgerEntries:
    """Keeps and finds entries."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def with_ids(self, ids: Sequence[str]) -> Iterator[LedgerEntry]:
        """The entries that exist of these."""
        return map(_decode, self._documents.find(LEDGER, {"_id": {"$in": list(ids)}}))

    def put(self, entry: LedgerEntry) -> None:
        """Write an entry, whatever was there under its id."""
        self._documents.replace(LEDGER, _encode(entry))

    def put_all(self, entries: Sequence[LedgerEntry]) -> None:
        """Write entries that are probably new; one of a failed mail is replaced."""
        if self._documents.insert_many(LEDGER, [_encode(entry) for entry in entries]) < len(entries):
            for entry in entries:
                self.put(entry)

    def not_taken(self, inbox: str) -> list[LedgerEntry]:
        """Mails of an inbox that are too large or cannot be read."""
        where = {"inbox": inbox, "state": {"$in": ["failed", "left"]}}
        return list(map(_decode, self._documents.find(LEDGER, where, sort=(("_id", 1),))))
