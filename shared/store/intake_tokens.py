"""The `intake_tokens` collection: who may hand in mail by HTTP. A token is kept as its hash alone.

A token has 256 random bits, so one SHA-256 without salt is enough: nobody can search for it (unlike a password).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import field
from datetime import datetime
from typing import Final

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.documents import Document, Documents

COLLECTION: Final = "intake_tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeToken:
    """The right to hand in mail to one inbox. `id` is the hash of the token, `rate` the mails a minute it may hand in.

    Life: added by a person, and valid until it is revoked. The row stays, so that it can be seen who had access.
    """

    id: str = field(metadata=named("_id"))
    inbox: str
    note: str = ""
    rate: int
    added_at: datetime
    added_by: str
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    @property
    def is_valid(self) -> bool:
        """Whether nobody has revoked it."""
        return self.revoked_at is None


_encode, _decode = to_plain(IntakeToken, STORE), from_plain(IntakeToken, STORE)


def hash_of(token: str) -> str:
    """The id of a token: its SHA-256, 64 hex digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class IntakeTokens:
    """Reads and writes the tokens of HTTP intake."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, token: IntakeToken) -> None:
        """Keep a new token."""
        self._documents.insert(COLLECTION, _encode(token))

    def get(self, id_: str, /) -> IntakeToken | None:
        """The token with this hash, revoked or not."""
        found = self._documents.get(COLLECTION, id_)
        return _decode(found) if found else None

    def beginning_with(self, id_beginning: str, /) -> list[IntakeToken]:
        """At most two tokens whose hashes begin so: enough to see whether it is one."""
        return list(map(_decode, self._documents.find(COLLECTION, {"_id": {"$prefix": id_beginning}}, limit=2)))

    def every(self, inbox: str | None = None) -> Iterator[IntakeToken]:
        """All tokens, or those of one inbox, the oldest first."""
        where: Document = {} if inbox is None else {"inbox": inbox}
        return map(_decode, self._documents.find(COLLECTION, where, sort=(("added_at", 1),)))

    def revoke(self, id_: str, at: datetime, by: str) -> bool:
        """End a token; False when it is revoked already, or does not exist."""
        where: Document = {"_id": id_, "revoked_at": None}
        return self._documents.update(COLLECTION, where, {"$set": {"revoked_at": at, "revoked_by": by}})
