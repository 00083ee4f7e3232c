"""The `large_events` collection: events that are kept as blobs, because they are too large for a message.

Nothing else refers to such a blob: its JSON begins with a random member, so that no mail and no attachment can have the
same bytes. It may go when no message refers to it any more, which `services.schedule.large_events` decides.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime

from shared.clock import Clock
from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents

COLLECTION = "large_events"


@dataclass(frozen=True, slots=True)
class LargeEvent:
    """One event about a mail, on its way to a queue. `id` is the blob.

    Life: written before its blob, and removed after it.
    """

    id: str = field(metadata=named("_id"))
    mail_id: str
    queue: str
    at: datetime


_encode, _decode = to_plain(LargeEvent, STORE), from_plain(LargeEvent, STORE)


class LargeEvents:
    """Keeps events and finds those that are kept."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents, self._clock = documents, clock

    def keep(self, body: bytes, mail_id: str, queue: str) -> str:
        """Keep the JSON object of an event; the blob that holds it."""
        content = b'{"blob_of":"%s",%s' % (secrets.token_hex(16).encode(), body[1:])
        event = LargeEvent(hashlib.sha256(content).hexdigest(), mail_id, queue, self._clock.now())
        self._documents.insert(COLLECTION, _encode(event))
        return self._documents.put_blob(content)

    def page(self, start: str, limit: int) -> list[LargeEvent]:
        """Events from one id on, in the order of ids."""
        found = self._documents.find(COLLECTION, {"_id": {"$gte": start}}, sort=(("_id", 1),), limit=limit)
        return list(map(_decode, found))

    def remove(self, blobs: Sequence[str]) -> None:
        """Remove events with their blobs."""
        if not blobs:
            return
        for blob in blobs:
            self._documents.delete_blob(blob)
        self._documents.delete(COLLECTION, {"_id": {"$in": list(blobs)}})
