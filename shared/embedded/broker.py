"""The Broker port on one SQLite file: leases, redelivery after kill -9, delivery limit, delayed retry.

A message is a row. Taking it writes a lease and counts the take before the message is handed out, so the count
survives a crash of the worker. Settling deletes the row and inserts what it caused in one transaction, fenced by
the lease token: a worker that lost its lease may have repeated work, but changes nothing.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared import processes
from shared.contracts.errors import PostroomError, Unavailable
from shared.embedded.file import LocalFile
from shared.embedded.relay import Post, Relay
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import (
    DEAD_LETTER,
    MAX_DELIVERIES,
    PARKED,
    POISONED,
    RETRY,
    TIERS,
    Delivery,
    Depth,
    Message,
    Unroutable,
    WorkQueues,
)
from shared.runtime.crash_points import crash_point

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
POLL_SECONDS = 0.05
CLOCK_SECONDS = 60.0
"""Seconds by which the clock may be set back unnoticed; delayed messages then wait that much longer."""
ALONE_FROM = 2
"""Takes after which a message comes alone: one that ends its process again and again counts no other's takes."""
BATCH_BYTES = 4 << 20
"""Bytes of messages that one take may hold beyond the first message."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS queue(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, held INTEGER NOT NULL DEFAULT 0, until REAL,
  holder TEXT, takes INTEGER NOT NULL DEFAULT 0, at REAL NOT NULL, id TEXT, type TEXT, content_type TEXT,
  correlation_id TEXT, headers TEXT, body BLOB);
CREATE INDEX IF NOT EXISTS queue_ready ON queue(queue, held, seq, until, holder, at);
CREATE INDEX IF NOT EXISTS queue_held ON queue(until) WHERE held = 1;
CREATE TABLE IF NOT EXISTS consumers(
  id TEXT PRIMARY KEY, queue TEXT NOT NULL, holder TEXT NOT NULL, until REAL NOT NULL);
"""
_PUT = (
    "INSERT INTO queue(queue, held, until, at, id, type, content_type, correlation_id, headers, body)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_FENCE = "seq = ? AND holder = ? AND takes = ?"
"""Only who took the row last, and still holds it, may move it."""
_DUE, _MISDATED = "held = 1 AND until <= ?", "held = 1 AND until > ?"
"""Its time has come; it is due so late that the machine's clock must have been put back since."""
_SHOWN = "seq, takes, id, type, content_type, correlation_id, headers, body"

_Row = tuple[int, int, str, str, str, str, str, bytes]


class _Thread(threading.local):
    """The state of one thread: the relay that it is in."""

    relay: Relay | None = None


class EmbeddedBroker:
    """The work queues in a file or a folder; several threads and processes may share them."""

    def __init__(
        self,
        file: LocalFile | Path,
        queues: WorkQueues,
        *,
        lease_seconds: float = LEASE_SECONDS,
        tier_scale: float = 1.0,
    ) -> None:
        self.file, self.queues = LocalFile(file) if isinstance(file, Path) else file, queues
        self.lease_seconds, self.tier_scale = lease_seconds, tier_scale
        self.owner = f"{processes.name()}/{uuid.uuid4().hex[:12]}"
        self._stop = threading.Event()
        self._renewer: threading.Thread | None = None
        self._unclosed: list[EmbeddedConsumer] = []
        self._joining: dict[str, str] = {}
        self._left: set[str] = set()
        self._mine = _Thread()

    @property
    def current_relay(self) -> Relay | None:
        """The relay of this thread, inside `relay`."""
        return self._mine.relay

    @contextmanager
    def relay(self) -> Iterator[None]:
        """Let this thread's stages hand messages on in memory inside the block, see `shared.embedded.relay`."""
        relay = self._mine.relay = Relay(self.file, self.put)
        try:
            with self.file.sync_later(), relay:
                yield
        finally:
            self._mine.relay = None

    def open_relay(self) -> None:
        """Begin the transaction of this thread's relay, if it is in one."""
        if self.current_relay is not None:
            self.current_relay.open()

    def declare(self) -> None:
        """Make the table; free what dead processes of this machine still hold."""
        self.file.make(_SCHEMA)
        self.free_dead()

    def free_dead(self) -> int:
        """Free the leases of processes that no longer run; how many."""
        holders = [row[0] for row in self._rows("SELECT DISTINCT holder FROM queue WHERE held = 1 AND holder NOTNULL")]
        dead = [holder for holder in holders if processes.is_gone(holder.rpartition("/")[0])]
        if not dead:
            return 0
        with self.file.writing() as db:
            marks = ", ".join("?" * len(dead))
            freed = db.execute(f"UPDATE queue SET held = 0, holder = NULL WHERE holder IN ({marks})", dead)
        return freed.rowcount

    def _consumers(self) -> Counter[str]:
        """Consumers by queue: those of running processes, as far as that can be seen from here."""
        rows = self._rows("SELECT queue, holder, id FROM consumers WHERE until >= ?", time.time())
        gone = {holder for holder in {row[1] for row in rows} if processes.is_gone(holder.rpartition("/")[0])}
        return Counter(queue for queue, holder, id_ in rows if holder not in gone and id_ not in self._left)

    def publish(self, messages: Sequence[Message]) -> None:
        """Durable when it returns."""
        self.put([self.posted(message) for message in messages])

    def announce(self, messages: Sequence[Message]) -> None:
        """Do nothing: integrators cannot listen on a local file."""

    def ping(self) -> None:
        """Raises `Unavailable` when the file cannot be read."""
        self._rows("SELECT 1 FROM queue LIMIT 1")

    def consumer(self, queue: str, prefetch: int) -> EmbeddedConsumer:
        """A consumer of one queue; the first one starts the renewing of leases."""
        if self._renewer is None:
            self._renewer = threading.Thread(target=self._renew, name="leases", daemon=True)
            self._renewer.start()
        consumer = EmbeddedConsumer(self, queue, prefetch)
        self._joining[consumer.id] = queue
        return consumer

    def register(self, consumer: EmbeddedConsumer) -> None:
        """Count a consumer from its first take on; with it, in one write, all that this process has made since.

        Until `leave`, or for a lease after the process was killed.
        """
        if consumer.id not in self._joining:
            return
        joining, until = dict(self._joining), time.time() + self.lease_seconds
        with self.file.writing() as db:
            db.execute("DELETE FROM consumers WHERE until < ?", (time.time() - CLOCK_SECONDS,))
            rows = [(id_, queue, self.owner, until) for id_, queue in joining.items()]
            db.executemany("INSERT OR REPLACE INTO consumers VALUES(?, ?, ?, ?)", rows)
            self._remove_left(db)
        for id_ in joining:
            self._joining.pop(id_, None)

    def leave(self, consumer: EmbeddedConsumer) -> None:
        """Count a consumer no longer; its row goes with the next write about consumers."""
        if self._joining.pop(consumer.id, None) is None:
            self._left.add(consumer.id)

    def _remove_left(self, db: sqlite3.Connection) -> None:
        """Remove the rows of consumers that were closed; safe to repeat."""
        left = set(self._left)
        db.executemany("DELETE FROM consumers WHERE id = ?", [(id_,) for id_ in left])

    def _renew(self) -> None:
        while not self._stop.wait(self.lease_seconds / 3):
            try:
                while self._unclosed:
                    self._unclosed[0].flush()
                    del self._unclosed[0]
                with self.file.writing() as db:
                    until = time.time() + self.lease_seconds
                    db.execute("UPDATE queue SET until = ? WHERE held = 1 AND holder = ?", (until, self.owner))
                    db.execute("UPDATE consumers SET until = ? WHERE holder = ?", (until, self.owner))
                    self._remove_left(db)
            except Unavailable as error:
                log.warning("leases_not_renewed", extra={"reason": str(error)})

    def close_later(self, consumer: EmbeddedConsumer) -> None:
        """Flush a consumer that could not be closed; else its rows would stay leased as long as this process runs."""
        self._unclosed.append(consumer)

    def depths(self) -> Sequence[Depth]:
        """Every work queue, `retry` and `parked`."""
        now = time.time()
        held = "held = 1 AND holder NOTNULL AND until >= ?"
        waiting = "held = 1 AND holder IS NULL AND until > ?"
        counted = {
            str(queue): (ready, unacked, oldest)
            for queue, ready, unacked, oldest in self._rows(
                f"SELECT queue, sum(NOT ({held}) AND NOT ({waiting})), sum({held}), min(at) FROM queue GROUP BY queue",
                now,
                now,
                now,
            )
        }
        retry = self._rows(f"SELECT count(*), min(at), min(until) FROM queue WHERE {waiting}", now)[0]
        shown, consumers = [], self._consumers()
        for name in (*self.queues.names, PARKED):
            ready, unacked, oldest = counted.get(name, (0, 0, None))
            age = None if oldest is None else max(0.0, now - oldest)
            shown.append(Depth(name, ready, unacked, consumers[name], age))
        count, oldest, due = retry
        waits = [None if each is None else max(0.0, each) for each in (oldest and now - oldest, due and due - now)]
        return [*shown, Depth(RETRY, count, 0, None, *waits)]

    def in_flight(self) -> int:
        """Every message that is not parked, without the queues that are not in flight."""
        others = (PARKED, *self.queues.not_in_flight)
        marks = ", ".join("?" * len(others))
        return int(self._rows(f"SELECT count(*) FROM queue WHERE queue NOT IN ({marks})", *others)[0][0])

    def join(self, timeout: float) -> bool:
        """Wait until no work is left."""
        deadline = time.monotonic() + timeout
        while self._rows("SELECT 1 FROM queue WHERE queue <> ? LIMIT 1", PARKED):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def close(self) -> None:
        """Stop renewing, close the file."""
        self._stop.set()
        if self._renewer is not None:
            self._renewer.join(5)
        if self._left:
            try:
                with self.file.writing() as db:
                    self._remove_left(db)
            except Unavailable as error:  # they are counted until their lease ends
                log.warning("consumers_not_removed", extra={"reason": str(error)})
        self.file.close()

    def posted(self, message: Message, *, queue: str | None = None, until: float | None = None) -> Post:
        """A message on its way to a queue, held back until `until`. Raises Unroutable."""
        to = queue or message.to
        if to not in self.queues.names and to != PARKED:
            raise Unroutable(f"no queue takes messages for {to!r}")
        return Post(to, message, until)

    def put(self, posts: Sequence[Post]) -> None:
        """Write rows; one atomic write. What is too large for a row is kept in the store before."""
        rows = [each.packed().row() for each in posts]
        with self.file.writing() as db:
            db.executemany(_PUT, rows)

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.file.translated():
            return self.file.connection.execute(statement, values).fetchall()


@dataclass(frozen=True, slots=True)
class _Settling:
    """A delivery that was decided: its row, and what its going causes. `takes` fences it (see `_FENCE`)."""

    seq: int
    takes: int
    posts: Sequence[Post]


class EmbeddedConsumer:
    """One worker's side of one queue. What is settled becomes durable at `flush`, and before the next take."""

    def __init__(self, broker: EmbeddedBroker, queue: str, prefetch: int) -> None:
        self.broker, self.queue, self.prefetch = broker, queue, prefetch
        self.id = uuid.uuid4().hex
        self._width = 1
        self._settling: list[_Settling] = []
        self._held: dict[int, int] = {}
        self._returning: list[tuple[int, str, int]] = []

    def take(self, timeout: float) -> Sequence[Delivery]:
        """Lease and count up to `prefetch` rows, all taken before equally often; one taken twice or more comes alone.

        In a relay in which something was settled: up to `prefetch` of the messages that it holds.
        """
        relay = self.broker.current_relay
        if relay is not None and relay.hand_on():
            handed_over = relay.take(self)
            self._held.update((_seq(each), 1) for each in handed_over)
            return handed_over
        self.flush()
        self.broker.register(self)
        deadline = time.monotonic() + timeout
        while not (taken := self._take_now()) and time.monotonic() < deadline:
            time.sleep(min(POLL_SECONDS, timeout))
        return taken

    def _take_now(self) -> Sequence[Delivery]:
        if not self._anything():
            return ()
        with self.broker.file.writing() as db:
            self._wake(db)
            rows = self._choose(db)
            until = time.time() + self.broker.lease_seconds
            db.executemany(
                "UPDATE queue SET held = 1, until = ?, holder = ?, takes = takes + 1 WHERE seq = ?",
                [(until, self.broker.owner, row[0]) for row in rows],
            )
        crash_point("broker.counted")
        self._held.update((row[0], row[1] + 1) for row in rows)
        return [_delivery(self.queue, row) for row in rows]

    def _anything(self) -> bool:
        """Look for work without the write lock, so that an idle consumer delays no other."""
        with self.broker.file.translated():
            found = self.broker.file.connection.execute(
                "SELECT EXISTS(SELECT 1 FROM queue WHERE queue = ? AND held = 0)"
                f" OR EXISTS(SELECT 1 FROM queue WHERE {_DUE}) OR EXISTS(SELECT 1 FROM queue WHERE {_MISDATED})",
                (self.queue, *self._now()),
            ).fetchone()
        return bool(found[0])

    def _wake(self, db: sqlite3.Connection) -> None:
        """Delayed rows that are due and leases that ran out become ready again."""
        for when, moment in zip((_DUE, _MISDATED), self._now(), strict=True):
            db.execute(f"UPDATE queue SET held = 0, holder = NULL WHERE {when}", (moment,))

    def _now(self) -> tuple[float, float]:
        """Now, and the last moment at which something written before it can be due."""
        now = time.time()
        return now, now + max(TIERS[-1], self.broker.lease_seconds) + CLOCK_SECONDS

    def _choose(self, db: sqlite3.Connection) -> list[_Row]:
        rows: list[_Row] = []
        weight = 0
        statement = f"SELECT {_SHOWN} FROM queue WHERE queue = ? AND held = 0 ORDER BY seq LIMIT ?"
        for row in db.execute(statement, (self.queue, self._width)).fetchall():
            if row[1] >= MAX_DELIVERIES:
                self._bury_poison(db, row)
                continue
            weight += len(row[7])
            if rows and (row[1] != rows[0][1] or weight > BATCH_BYTES):
                break
            rows.append(row)
            if row[1] >= ALONE_FROM:
                break
        return rows

    def _bury_poison(self, db: sqlite3.Connection, row: _Row) -> None:
        delivery = _delivery(self.queue, row)
        db.execute(_PUT, self.broker.posted(_letter(delivery, POISONED, self.queue)).row())
        db.execute("DELETE FROM queue WHERE seq = ?", (row[0],))

    def settle(self, delivery: Delivery, then: Sequence[Message] = ()) -> None:
        """Publish `then` and let the delivery go, at the next flush."""
        self._leave(delivery, [self.broker.posted(message) for message in then])
        if delivery.count < ALONE_FROM:
            self._width = self.prefetch

    def redeliver(self, delivery: Delivery, seconds: int) -> None:
        """After `seconds`, one more attempt counted."""
        message = delivery.message.with_headers(attempt=delivery.message.attempt + 1)
        self._leave(delivery, [self._later(message, seconds)])

    def wait(self, delivery: Delivery, seconds: int) -> None:
        """After `seconds`, no attempt counted."""
        self._leave(delivery, [self._later(delivery.message, seconds)])

    def _later(self, message: Message, seconds: int) -> Post:
        return self.broker.posted(message, queue=self.queue, until=time.time() + seconds * self.broker.tier_scale)

    def give_back(self, delivery: Delivery) -> None:
        """Return it to its place in the queue, uncounted; at the next flush, if the file cannot be written now.

        What was settled stays settled, even while its flush has yet to succeed.
        """
        seq = _seq(delivery)
        if seq not in self._held or any(each.seq == seq for each in self._settling):
            return
        self._width = 1
        if seq < 0:  # the relay writes it at its end
            del self._held[seq]
            return
        is_waiting = bool(self._returning)
        self._returning.append((seq, self.broker.owner, self._held.pop(seq)))
        if is_waiting:  # the file could not be written just now: each try takes long
            return
        if (relay := self.broker.current_relay) is not None and relay.is_open:  # it would be undone with the relay
            return
        try:
            with self.broker.file.writing() as db:
                self._hand_back(db)
            self._returning.clear()
        except Unavailable as error:
            log.warning("given_back_later", extra={"queue": self.queue, "reason": str(error)})

    def _hand_back(self, db: sqlite3.Connection) -> None:
        db.executemany(f"UPDATE queue SET held = 0, holder = NULL, takes = takes - 1 WHERE {_FENCE}", self._returning)

    def bury(self, delivery: Delivery, reason: str, stage: str) -> None:
        """To the dead letters, with the original body."""
        self._leave(delivery, [self.broker.posted(_letter(delivery, reason, stage))])

    def _leave(self, delivery: Delivery, posts: Sequence[Post]) -> None:
        seq, relay = _seq(delivery), self.broker.current_relay
        if seq < 0:
            if relay is None:
                raise PostroomError("this message was handed over in a relay that has ended")
            relay.settle(seq, posts)
            del self._held[seq]
            return
        if relay is not None:
            relay.add(self)
        self._settling.append(_Settling(seq, delivery.count + 1, posts))
        if relay is None and len(self._settling) == len(self._held):
            self.flush()

    def flush(self) -> None:
        """One transaction for all that was settled; a delivery whose lease was lost causes nothing.

        In a relay it waits for that transaction: messages written before it would be overtaken by those in memory.
        """
        relay = self.broker.current_relay
        if not (self._settling or self._returning) or (relay is not None and relay.holds(self)):
            return
        self._settling = [replace(each, posts=[post.packed() for post in each.posts]) for each in self._settling]
        with self.broker.file.writing() as db:
            db.executemany(_PUT, [post.row() for post in self.let_go(db)])
            crash_point("broker.settling")
        crash_point("broker.settled")
        self.forget_settled()

    def let_go(self, db: sqlite3.Connection) -> list[Post]:
        """Delete the rows of what was settled, unless their lease was lost; what their going causes."""
        self._hand_back(db)
        ours = self._still_ours(db)
        kept = [each for each in self._settling if (each.seq, each.takes) in ours]
        db.executemany("DELETE FROM queue WHERE seq = ?", [(each.seq,) for each in kept])
        if len(kept) < len(self._settling):
            lost = [each.seq for each in self._settling if each not in kept]
            log.warning("lease_lost", extra={"queue": self.queue, "seq": lost})
        return [post for each in kept for post in each.posts]

    def _still_ours(self, db: sqlite3.Connection) -> set[tuple[int, int]]:
        """Row and number of takes of what this process holds; another process may have taken a row since."""
        seqs = [each.seq for each in self._settling]
        marks = ", ".join("?" * len(seqs))
        held = f"SELECT seq, takes FROM queue WHERE seq IN ({marks}) AND holder = ?"
        return set(db.execute(held, (*seqs, self.broker.owner)).fetchall())

    def forget_settled(self) -> None:
        """What was settled is durable."""
        for settling in self._settling:
            self._held.pop(settling.seq, None)
        self._settling.clear()
        self._returning.clear()

    def return_settled(self) -> None:
        """What was settled was not done: its rows go back uncounted, at the next flush."""
        for each in self._settling:
            self._held.pop(each.seq, None)
            self._returning.append((each.seq, self.broker.owner, each.takes))
        self._settling.clear()
        self._width = 1

    def forget_handed_over(self) -> None:
        """The relay has ended: what it handed over is done, or comes again as a row."""
        self._held = {seq: takes for seq, takes in self._held.items() if seq > 0}

    def rest(self) -> None:
        """Nothing is held that was not handed out."""

    def close(self) -> None:
        """Flush; leave what is still held to others, uncounted."""
        settled = {each.seq for each in self._settling}
        held, self._held = self._held, {seq: takes for seq, takes in self._held.items() if seq in settled}
        self._returning += [(seq, self.broker.owner, takes) for seq, takes in held.items() if seq not in settled]
        try:
            self.flush()
        except Unavailable:
            self.broker.close_later(self)
            raise
        self.broker.leave(self)


def _delivery(queue: str, row: _Row) -> Delivery:
    seq, takes, id_, type_, content_type, correlation_id, headers, body = row
    message = Message(id_, queue, body, type_, content_type, correlation_id, json.loads(headers))
    return Delivery(message, queue, takes, seq)


def _seq(delivery: Delivery) -> int:
    if not isinstance(delivery.tag, int):
        raise PostroomError("this delivery is of another broker")
    return delivery.tag


def _letter(delivery: Delivery, reason: str, stage: str) -> Message:
    """The original message on its way to the dead letters, or from there to the parked ones."""
    to = PARKED if delivery.queue == DEAD_LETTER else DEAD_LETTER
    letter = delivery.message.packed().with_headers(reason=reason, stage=stage, queue=delivery.queue)
    return replace(letter, to=to)
