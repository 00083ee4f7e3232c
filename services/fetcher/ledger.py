"""The ledger: which mails were taken from which folder, so that each is taken exactly once.

One document for each mail seen, under its key. It is written after the hand-over to intake is durable and before
the mail is archived: a crash before it repeats a hand-over (the parser finds the duplicate by content), a crash
after it leaves a mail in the folder that only has to be archived. A new UIDVALIDITY makes new keys: everything in the
folder is handed over once more, and what was known becomes a duplicate by content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.fetcher.mailbox import Key, State
from shared.clock import Clock
from shared.config.model import Inbox
from shared.store.documents import Document, Documents

COLLECTION = "ledger"
TAKEN, FAILED, LEFT = "taken", "failed", "left"
IMMEDIATE_TRIES = 3
"""Failures of one mail that are retried at the next poll; after that the waits grow."""
MAX_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A mail that was not taken, for the operator: why, and how often it was tried."""

    id: str
    state: str
    reason: str
    attempts: int
    at: datetime


class Ledger:
    """The ledger of one inbox."""

    def __init__(self, documents: Documents, inbox: Inbox, clock: Clock, max_download: int) -> None:
        self._documents, self._inbox, self._clock, self._max_size = documents, inbox, clock, max_download

    def known(self, keys: Sequence[Key]) -> Mapping[Key, State]:
        """Return the states of these keys; keys that are unknown or no longer refused are left out."""
        by_id = {key.id: key for key in keys}
        found = self._documents.find(COLLECTION, {"_id": {"$in": list(by_id)}})
        states = ((by_id[entry["_id"]], self._state(entry)) for entry in found)
        return {key: state for key, state in states if state is not None}

    def _state(self, entry: Document) -> State | None:
        if entry["state"] == TAKEN:
            return "to_archive" if self._leaves_folder(entry["after"]) else "done"
        if entry["state"] == LEFT:
            return "done" if entry["size"] is None or entry["size"] > self._max_size else None
        return "again" if self._is_due(entry["next_at"]) else "later"

    def _leaves_folder(self, after: str) -> bool:
        """Whether taken mail is to leave the folder. Mail that was kept stays, even if the setting changes."""
        return after != "mark_read" or self._inbox.after == "mark_read"

    def _is_due(self, next_at: datetime) -> bool:
        """Whether a retry is due; a wait beyond the maximum comes from a wrong clock, and is ignored."""
        return not timedelta() < next_at - self._clock.now() <= MAX_WAIT

    def taken(self, keys: Sequence[Key]) -> None:
        """Record these mails as handed over."""
        now = self._clock.now()
        entries = [self._entry(key, TAKEN, now) | {"after": str(self._inbox.after)} for key in keys]
        if self._documents.insert_many(COLLECTION, entries) < len(entries):
            for entry in entries:  # some had failed before: success replaces their entry
                self._documents.replace(COLLECTION, entry)

    def holds(self, keys: Iterable[Key]) -> list[Key]:
        """Return the keys that are taken, and so may be archived."""
        states = self.known(list(keys))
        return [key for key, state in states.items() if state == "to_archive"]

    def left(self, key: Key, size: int | None, reason: str) -> None:
        """Record a mail that is not taken because it exceeds a limit."""
        entry = self._entry(key, LEFT, self._clock.now()) | {"size": size, "reason": reason, "attempts": 1}
        self._documents.replace(COLLECTION, entry)

    def failed(self, key: Key, reason: str) -> int:
        """Record a failed attempt to take a mail; return the number of attempts. Attempts never end."""
        now = self._clock.now()
        before = self._documents.get(COLLECTION, key.id) or {}
        attempts = int(before.get("attempts", 0)) + 1
        entry = self._entry(key, FAILED, now) | {
            "reason": reason,
            "attempts": attempts,
            "next_at": now + _wait(attempts),
        }
        self._documents.replace(COLLECTION, entry)
        return attempts

    def _entry(self, key: Key, state: str, now: datetime) -> Document:
        return {"_id": key.id, "place": key.place, "inbox": self._inbox.name, "state": state, "at": now}


def _wait(attempts: int) -> timedelta:
    late = attempts - IMMEDIATE_TRIES
    return min(timedelta(minutes=1) * 2 ** min(late, 10), MAX_WAIT) if late >= 0 else timedelta()


def troubles(documents: Documents, inbox: str) -> list[Trouble]:
    """Mails of an inbox that were not taken because they are too large or cannot be read."""
    found = documents.find(COLLECTION, {"inbox": inbox, "state": {"$in": [FAILED, LEFT]}}, sort=(("_id", 1),))
    return [Trouble(each["_id"], each["state"], each["reason"], each["attempts"], each["at"]) for each in found]
