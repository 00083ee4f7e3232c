"""One visit to one mailbox: list, fetch, hand over, record in the ledger, archive, always in this order.

The durable hand-over comes first; then the ledger; then, with the lease still held, mails leave the folder. A
crash between any two of these steps loses nothing: a mail that is not in the ledger is taken again, a mail that is
in it is only archived. A bad mail is counted and skipped. Separate from `source`, which decides when to visit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field

from services.fetcher.automatic import is_automatic
from services.fetcher.ledger import Ledger
from services.fetcher.mailbox import Key, Mailbox, NotInFolder, TooLarge, Unfetchable, Waiting
from shared.config.model import Inbox
from shared.contracts.errors import BoundExceeded, Misconfigured, Unavailable
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection import Unreachable
from shared.runtime.hooks import Committed, Failed, Hooks, Retried, Settled, Taken
from shared.runtime.lease import Lease, LeaseLost

log = logging.getLogger("postroom.fetcher")

FETCH_FACTOR = 10
"""At most `max_per_poll` times this factor mails are fetched per poll, including mails that do not count."""
BATCH_MAILS, BATCH_BYTES = 20, 8 << 20
PUT_AWAY_MAILS, PUT_AWAY_SECONDS = 1000, 10.0
"""Mails that are taken leave the folder together, after this number or time: a server may need seconds for each MOVE
from a large folder, however few the mails are."""
PART = "fetcher"
"""The fetcher's name in hooks."""
MAX_CONSECUTIVE_FAILURES = 3
"""Consecutive mails that could not be fetched after which the visit ends, because the server is the likely cause."""


@dataclass(frozen=True, slots=True)
class FetchedMail:
    """A mail as fetched. `source` is its origin, for the trace only: neither a deduplication key nor part of the id."""

    raw: bytes
    inbox: str
    source: str


HandOver = Callable[[Sequence[FetchedMail]], None]
"""Makes mails durable in intake before it returns. After `Unavailable`, it is unknown which were stored."""


@dataclass(slots=True)
class Polled:
    """What a visit did. `archived` counts what was archived, deleted or marked as read; `failures` are sentences."""

    inbox: str
    taken: int = 0
    archived: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    busy: bool = False


class Visit:
    """One visit; used once, inside the mailbox's `with` block."""

    def __init__(
        self,
        inbox: Inbox,
        *,
        box: Mailbox,
        ledger: Ledger,
        lease: Lease,
        hand_over: HandOver,
        stopping: Callable[[], bool] = lambda: False,
        hooks: Hooks | None = None,
    ) -> None:
        self._inbox, self._box, self._ledger, self._lease = inbox, box, ledger, lease
        self._hand_over, self._stopping = hand_over, stopping
        self._batch: list[tuple[Key, FetchedMail]] = []
        self._taken: list[Key] = []
        self._taken_since = 0.0
        self._counted = self._consecutive_failures = 0
        self._archiving = True
        self._hooks, self._place = hooks or Hooks(), (PART, inbox.name)
        self._began = time.monotonic()
        self.polled = Polled(inbox.name)

    def run(self, max_per_poll: int) -> Polled:
        """Take up to `max_per_poll` mails that count, and archive what was taken, now or before."""
        scan = self._box.waiting(self._ledger.known, max_per_poll * FETCH_FACTOR)
        self._archive(scan.to_archive)
        try:
            self._take(scan.fresh, max_per_poll)
        finally:
            try:
                self._flush()
            finally:
                self._put_away()
        return self.polled

    def _take(self, fresh: Iterable[Waiting], max_per_poll: int) -> None:
        for waiting in fresh:
            self._take_one(waiting)
            if self._counted >= max_per_poll or self._stopping():
                return
            if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
                raise Unreachable(
                    f"{MAX_CONSECUTIVE_FAILURES} mails in a row could not be fetched: {self.polled.failures[-1]}"
                )

    def _take_one(self, waiting: Waiting) -> None:
        key, began = waiting.key, time.monotonic()
        try:
            raw = self._box.fetch(key, waiting.size)
        except NotInFolder:
            self._skip(key, "gone")
        except TooLarge as error:
            self._archive_unread(key, waiting.size, str(error))
        except Unfetchable as error:
            if not self._stopping():  # else we have closed the connection ourselves
                self._consecutive_failures += 1
                self._fail(key, str(error))
        else:
            self._consecutive_failures = 0
            self._hooks(Taken(*self._place, 1, time.monotonic() - began))
            self._collect(key, raw)

    def _collect(self, key: Key, raw: bytes) -> None:
        self._counted += not is_automatic(raw)
        self._batch.append((key, FetchedMail(raw, self._inbox.name, key.id)))
        if len(self._batch) >= BATCH_MAILS or sum(len(each.raw) for _, each in self._batch) >= BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Hand over the batch, record it in the ledger, archive it together with others."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        began = time.monotonic()
        try:
            self._hand_over([arrival for _, arrival in batch])
        except Unavailable:
            raise
        except Exception as error:
            if len(batch) > 1:  # find the mail that intake cannot accept
                self._hand_over_singly(batch)
            else:
                self._refuse(*batch[0], error)
        else:
            self._hooks(Committed(*self._place, len(batch), time.monotonic() - began))
            self._record_taken([key for key, _ in batch])

    def _hand_over_singly(self, batch: Sequence[tuple[Key, FetchedMail]]) -> None:
        for each in batch:
            self._batch = [each]
            self._flush()

    def _refuse(self, key: Key, arrival: FetchedMail, error: Exception) -> None:
        if isinstance(error, BoundExceeded):
            self._archive_unread(key, len(arrival.raw), str(error))
        else:
            log.warning("mail_not_handed_over", exc_info=error, extra={"inbox": self._inbox.name, "source": key.id})
            self._fail(key, f"{type(error).__name__}: {error}")

    def _record_taken(self, keys: Sequence[Key]) -> None:
        self._ledger.taken(keys)
        self.polled.taken += len(keys)
        for key in keys:
            self._note("mail_taken", key)
        if not self._taken:
            self._taken_since = time.monotonic()
        self._taken += keys
        if len(self._taken) >= PUT_AWAY_MAILS or time.monotonic() - self._taken_since >= PUT_AWAY_SECONDS:
            self._put_away()

    def _put_away(self) -> None:
        """Archive what was taken since the last time; what a crash leaves here is in the ledger."""
        taken, self._taken = self._taken, []
        self._archive(taken)

    def _archive(self, keys: Sequence[Key]) -> None:
        """Archive only mails in the ledger, and only while the lease is held."""
        if not (keys and self._archiving):
            return
        held = self._ledger.holds(keys)
        if not self._lease.held():
            raise LeaseLost(f"inbox {self._inbox.name}: another fetcher took over")
        try:
            self._apply_after(held)
        except (Unfetchable, Misconfigured) as error:
            self._archiving = False  # the mails stay, recorded in the ledger; fetching continues
            self._report_failure("mail_not_put_away", f"mail that was taken stays there: {error}")
        else:
            self.polled.archived += len(held)
            for key in held:
                self._hooks(Settled(*self._place, key.id, "", time.monotonic() - self._began))

    def _apply_after(self, keys: Sequence[Key]) -> None:
        match self._inbox.after:
            case "delete":
                self._box.delete(keys)
            case "mark_read":
                self._box.mark_read(keys)
            case _:
                self._box.archive(keys)

    def _skip(self, key: Key, why: str) -> None:
        self.polled.skipped += 1
        self._note(f"mail_{why}", key)

    def _archive_unread(self, key: Key, size: int | None, reason: str) -> None:
        """Record a mail that cannot be stored, and put it away. It is never deleted: this is the only copy."""
        self._skip(key, "left_behind")
        self._ledger.left(key, size, reason)
        self._hooks(Failed(*self._place, key.id, "", reason))
        if not self._lease.held():
            raise LeaseLost(f"inbox {self._inbox.name}: another fetcher took over")
        put_away = self._box.mark_read if self._inbox.after == "mark_read" else self._box.archive
        try:
            put_away([key])
        except (Unfetchable, Misconfigured) as error:
            self._report_failure("mail_not_put_away", f"cannot put away {key.id} ({reason}): {error}")

    def _fail(self, key: Key, reason: str) -> None:
        attempts = self._ledger.failed(key, reason)
        self._report_failure("mail_not_fetched", f"{key.id}: {reason} (attempt {attempts})")
        self._hooks(Retried(*self._place, key.id, "", reason, None, counted=True))

    def _report_failure(self, event: str, sentence: str) -> None:
        self.polled.failures.append(sentence)
        log.warning(event, extra={"inbox": self._inbox.name, "reason": sentence})

    def _note(self, event: str, key: Key) -> None:
        if self._inbox.log_events:
            log.info(event, extra={"inbox": self._inbox.name, "source": key.id})
