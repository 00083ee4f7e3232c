"""The keys by which mail services sign what they post to HTTP intake, and the signatures that were used.

`intake_keys` has one key for each inbox and service: a reference to a secret, or a public key; never a secret itself.
`intake_signatures` notes of a signature that does not cover the mail which mail it came with, so that nobody who sees
it can send another mail with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from datetime import datetime, timedelta
from typing import Final

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.store.documents import Document, Documents

KEYS: Final = "intake_keys"
SIGNATURES: Final = "intake_signatures"
KEPT: Final = timedelta(days=1)
"""How long a signature is noted: longer than it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeKey:
    """The key of a mail service for one inbox. Life: set by a person, replaced by the next one, removed by a person."""

    id: str = field(metadata=named("_id"))
    inbox: str
    service: str
    key: str
    added_at: datetime
    added_by: str


_encode, _decode = to_plain(IntakeKey, STORE), from_plain(IntakeKey, STORE)


def key_id(inbox: str, service: str) -> str:
    """The id of the key of a service for an inbox."""
    return derived_id("intake key", inbox, service)


class IntakeKeys:
    """Reads and writes the keys of mail services."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def put(self, key: IntakeKey) -> None:
        """Keep a key in place of the one before."""
        self._documents.replace(KEYS, _encode(key))

    def get(self, inbox: str, service: str) -> IntakeKey | None:
        """The key of a service for an inbox."""
        found = self._documents.get(KEYS, key_id(inbox, service))
        return _decode(found) if found else None

    def every(self, inbox: str | None = None) -> Iterator[IntakeKey]:
        """All keys, or those of one inbox, the oldest first."""
        where: Document = {} if inbox is None else {"inbox": inbox}
        return map(_decode, self._documents.find(KEYS, where, sort=(("added_at", 1),)))

    def remove(self, inbox: str, service: str) -> bool:
        """Remove the key of a service; False when there is none."""
        found = self.get(inbox, service)
        if found is not None:
            self._documents.delete(KEYS, {"_id": found.id})
        return found is not None

    def belongs_to(self, signature: str, sha256: str, at: datetime) -> bool:
        """Whether a signature came with this mail first; the first mail with it is noted."""
        id_ = derived_id("intake signature", signature)
        if self._documents.insert(SIGNATURES, {"_id": id_, "sha256": sha256, "at": at}):
            return True
        found = self._documents.get_fresh(SIGNATURES, id_) or {}
        return found.get("sha256") == sha256

    def forget_signatures(self, now: datetime) -> None:
        """Remove the notes of signatures that count no more."""
        self._documents.delete(SIGNATURES, {"at": {"$lt": now - KEPT}})
