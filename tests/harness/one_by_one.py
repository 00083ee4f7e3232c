"""A store for batches that carries out a round one thing after the other: each is durable, and a boundary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.contracts.errors import Unavailable
from shared.embedded.documents import EmbeddedDocuments
from shared.store.documents import is_small
from shared.store.exchange import BLOBS, Count, Find, Get, GetBlob, GetSmallBlob, NextNumber, Read, Write


class OneByOne(EmbeddedDocuments):
    """The embedded store as a `BulkDocuments`; `rounds` are counted."""

    rounds = 0

    def exchange(self, reads: Sequence[Read], writes: Sequence[Write]) -> tuple[list[Any], list[bool | None]]:
        """Every question, then every write, the last one first: a round has no order."""
        self.rounds += 1
        return [self.answer(each) for each in reads], [self.carry_out(each) for each in reversed(writes)][::-1]

    def answer(self, read: Read) -> Any:
        """What the store says."""
        match read:
            case Get(collection, id_):
                return self.get(collection, id_)
            case Find(collection, where, sort, limit, skip):
                return list(self.find(collection, where, sort=sort, limit=limit, skip=skip))
            case Count(collection, where):
                return self.count(collection, where)
            case NextNumber(collection, id_, count):
                return self.next_number(collection, id_, count)
            case GetBlob(sha256):
                return self.get_blob(sha256) if self.has_blob(sha256) else None
            case GetSmallBlob(sha256):
                content = self.get_blob(sha256) if self.has_blob(sha256) else b""
                return content if content and is_small(content) else None

    def carry_out(self, write: Write) -> bool | None:
        """Whether it took effect; None for what the store refuses."""
        try:
            if write.document is None:
                return self.update(write.collection, write.where, write.change)
            if write.collection == BLOBS:
                return bool(self.put_blob(write.document["data"]))
            return self.insert(write.collection, write.document)
        except Unavailable:
            raise
        except Exception:
            return None
