"""The ledger: which mails were taken from which folder, so that each is taken exactly once.

One entry for each mail seen, under its key. It is written after the hand-over to intake is durable and before
the mail is archived: a crash before it repeats a hand-over (the parser finds the duplicate by content), a crash
after it leaves a mail in the folder that only has to be archived. A new UIDVALIDITY makes new keys: everything in the
folder is handed over once more, and what was known becomes a duplicate by content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from services.fetcher.mailbox import Key, State
from shared.clock import Clock
from shared.config.model import Inbox
from shared.store.documents import Documents
from shared.store.ledger import LedgerEntries, LedgerEntry

IMMEDIATE_TRIES = 3
"""Failures of one mail that are retried at the next poll; after that the waits grow."""
MAX_WAIT = timedelta(hours=1)


class Ledger:
    """The ledger of one inbox."""

    def __init__(self, documents: Documents, inbox: Inbox, clock: Clock, max_download: int) -> None:
        self._entries, self._inbox, self._clock = LedgerEntries(documents), inbox, clock
        self._max_size = max_download

    def known(self, keys: Sequence[Key]) -> Mapping[Key, State]:
        """Return the states of these keys; keys that are unknown or no longer refused are left out."""
        by_id = {key.id: key for key in keys}
        states = ((by_id[entry.id], self._state(entry)) for entry in self._entries.with_ids(list(by_id)))
        return {key: state for key, state in states if state is not None}

    def _state(self, entry: LedgerEntry) -> State | None:
        match entry.state:
            case "taken":
                return "to_archive" if self._leaves_folder(entry.after) else "done"
            case "left":
                return "done" if entry.size is None or entry.size > self._max_size else None
            case "failed":
                return "again" if self._is_due(entry.next_at) else "later"

    def _leaves_folder(self, after: str) -> bool:
        """Whether taken mail is to leave the folder. Mail that was kept stays, even if the setting changes."""
        return after != "mark_read" or self._inbox.after == "mark_read"

    def _is_due(self, next_at: datetime | None) -> bool:
        """Whether a retry is due; a wait beyond the maximum comes from a wrong clock, and is ignored."""
        return next_at is None or not timedelta() < next_at - self._clock.now() <= MAX_WAIT

    def taken(self, keys: Sequence[Key]) -> None:
        """Record these mails as handed over."""
        now, name, after = self._clock.now(), self._inbox.name, self._inbox.after
        self._entries.put_all([LedgerEntry(key.id, key.place, name, "taken", now, after=after) for key in keys])

    def holds(self, keys: Iterable[Key]) -> list[Key]:
        """Return the keys that are taken, and so may be archived."""
        states = self.known(list(keys))
        return [key for key, state in states.items() if state == "to_archive"]

    def left(self, key: Key, size: int | None, reason: str) -> None:
        """Record a mail that is not taken because it exceeds a limit."""
        now, name = self._clock.now(), self._inbox.name
        self._entries.put(LedgerEntry(key.id, key.place, name, "left", now, size=size, reason=reason, attempts=1))

    def failed(self, key: Key, reason: str) -> int:
        """Record a failed attempt to take a mail; return the number of attempts. Attempts never end."""
        now, name = self._clock.now(), self._inbox.name
        attempts = 1 + next((before.attempts for before in self._entries.with_ids([key.id])), 0)
        next_at = now + _wait(attempts)
        self._entries.put(
            LedgerEntry(key.id, key.place, name, "failed", now, reason=reason, attempts=attempts, next_at=next_at)
        )
        return attempts


def _wait(attempts: int) -> timedelta:
    late = attempts - IMMEDIATE_TRIES
    return min(timedelta(minutes=1) * 2 ** min(late, 10), MAX_WAIT) if late >= 0 else timedelta()
