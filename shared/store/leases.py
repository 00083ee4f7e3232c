"""The `fetch_leases` collection: which fetcher reads a folder now, and which process is the schedule."""

from __future__ import annotations

from dataclasses import field
from typing import Final

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.documents import Change, Documents

LEASES: Final = "fetch_leases"


@dataclass(frozen=True, slots=True)
class StoredLease:
    """The lease of one folder.

    Life: inserted with beat 0 by the process that reads the folder first; the holder increments the beat until it
    deletes the lease; another process takes it over, with a token of its own, when the beat stands still.
    """

    folder: str = field(metadata=named("_id"))
    token: str
    beat: int
    owner: str


_encode, _decode = to_plain(StoredLease, STORE), from_plain(StoredLease, STORE)
_BEAT: Final = {"$inc": {"beat": 1}}


class StoredLeases:
    """Inserts, takes over, keeps and deletes leases, each with one conditional write."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def get(self, folder: str) -> StoredLease | None:
        """The lease of a folder, whoever holds it."""
        found = self._documents.get(LEASES, folder)
        return _decode(found) if found else None

    def insert(self, lease: StoredLease) -> bool:
        """Take a folder that nobody holds; False when somebody does."""
        return self._documents.insert(LEASES, _encode(lease))

    def take_over(self, held: StoredLease, token: str, owner: str) -> bool:
        """Replace the holder, unless the lease has changed since it was read."""
        where = {"_id": held.folder, "token": held.token, "beat": held.beat}
        change: Change = {"$set": {"token": token, "owner": owner}, **_BEAT}
        return self._documents.update(LEASES, where, change)

    def beat(self, folder: str, token: str) -> bool:
        """Increment the beat; False when the lease is no longer held with this token."""
        return self._documents.update(LEASES, {"_id": folder, "token": token}, _BEAT)

    def delete(self, folder: str, token: str) -> None:
        """Give the folder back, unless another process has taken it over."""
        self._documents.delete(LEASES, {"_id": folder, "token": token})
