"""What a console remembers for an outage of its store: who was signed in, the last Overview, and since when.

All of it is in the memory of the process, bounded, and shown only to a browser whose session this process has found in
the store within the last minutes. Nothing can be done with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from shared.bounded import forget_oldest
from shared.lazy_dataclass import dataclass
from shared.store.access import hash_of
from shared.store.settings import TIMEZONE

if TYPE_CHECKING:
    from services.operator.permissions.access import SignedInPerson

KNOWN_SECONDS: Final = 300.0
"""How long a session that was found counts during an outage of the store, though it may be revoked by now."""
MAX_SESSIONS: Final = 1000
MAX_OVERVIEWS: Final = 50
STORE: Final = "store"
"""The outage that is noticed before anything else is looked at."""


@dataclass(frozen=True, slots=True)
class OutageNotice:
    """A dependency that cannot be reached. `since`: the first request that failed.

    `words`: those of the dependency, for people who are signed in. `was_write`: a form may not have been carried out.
    `again`: the path of the link that tries again.
    """

    since: datetime
    is_store: bool
    words: str
    was_write: bool
    again: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The values of the last Overview, and when they were looked up."""

    at: datetime
    values: Mapping[str, Any]


class LastKnown:
    """The memory of one process. Safe to share between threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._sessions: dict[str, tuple[SignedInPerson, float]] = {}
        self._overviews: dict[frozenset[str] | None, Seen] = {}
        self._since: dict[str, datetime] = {}
        self.timezone = TIMEZONE

    def identified(self, secret: str, person: SignedInPerson | None) -> None:
        """The store has answered: who the session with this secret is; None: nobody, from now on."""
        with self._lock:
            self._since.pop(STORE, None)
            if not secret:
                return
            self._sessions.pop(hash_of(secret), None)
            if person is not None:
                self._sessions[hash_of(secret)] = person, self._monotonic()
                forget_oldest(self._sessions, MAX_SESSIONS)

    def person(self, secret: str) -> SignedInPerson | None:
        """The person whose session was found a short time ago."""
        with self._lock:
            person, at = self._sessions.get(hash_of(secret), (None, 0.0))
            return person if self._monotonic() - at < KNOWN_SECONDS else None

    def keep_overview(self, person: SignedInPerson, at: datetime, values: Mapping[str, Any]) -> None:
        """Remember what everybody sees who sees the same inboxes as this person."""
        with self._lock:
            self._overviews.pop(person.inboxes, None)
            self._overviews[person.inboxes] = Seen(at, values)
            forget_oldest(self._overviews, MAX_OVERVIEWS)

    def overview(self, person: SignedInPerson) -> Seen | None:
        """The last Overview of people who see the same inboxes."""
        with self._lock:
            return self._overviews.get(person.inboxes)

    def began(self, outage: str, now: datetime) -> datetime:
        """Since when something cannot be reached; it is noted at the first call."""
        with self._lock:
            return self._since.setdefault(outage, now)

    def ended(self, outage: str) -> None:
        """It answers again."""
        with self._lock:
            self._since.pop(outage, None)
