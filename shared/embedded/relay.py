"""Messages that the stages of one process hand on in memory, and all that they cause in one transaction.

A stage takes from its queue as always: the row is leased and counted before it is handed out. When all that it took is
prepared, one transaction begins, in which it and the stages after it write to the store. What it settles is not written
but handed to the stages after it, whose `take` then gives messages of the relay alone. At the end the rows that were
taken are deleted and what is left in memory is written, in the same transaction. Until then nothing of it is durable:
after a crash, or when the file cannot be written, the rows that were taken are still there and their work is done again
(decision 0091). That is also so after a power cut, so that nothing in a relay waits for the disk (decision 0189).
"""

from __future__ import annotations

import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, count
from sqlite3 import Connection
from types import TracebackType
from typing import Protocol

from shared.contracts.errors import PostroomError
from shared.embedded.file import LocalFile
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import Delivery, Message
from shared.runtime.crash_points import crash_point


@dataclass(frozen=True, slots=True)
class Post:
    """A message on its way to a queue, held back until `until`."""

    queue: str
    message: Message
    until: float | None = None

    def packed(self) -> Post:
        """The same with the message as bytes."""
        return replace(self, message=self.message.packed())

    def row(self) -> tuple[object, ...]:
        """The values of its row, once it is packed."""
        message = self.message
        headers = json.dumps(dict(message.headers), ensure_ascii=False)
        return (
            self.queue, int(self.until is not None), self.until, time.time(), message.id, message.type,
            message.content_type, message.correlation_id, headers, message.body,
        )  # fmt: skip


class Settling(Protocol):
    """What a relay needs of a consumer."""

    queue: str
    prefetch: int

    def let_go(self, db: Connection) -> Sequence[Post]:
        """Delete the rows of what was settled; what their going causes."""

    def forget_settled(self) -> None:
        """What was settled is durable."""

    def return_settled(self) -> None:
        """What was settled was not done: its rows go back uncounted, at the next flush."""

    def forget_handed_over(self) -> None:
        """The relay has ended: what it handed over is done, or comes again as a row."""


class Relay:
    """One round of the stages of one thread. `put` writes rows."""

    def __init__(self, file: LocalFile, put: Callable[[Sequence[Post]], None]) -> None:
        self._file, self._put = file, put
        self._transaction: ExitStack | None = None
        self._settled: dict[Settling, None] = {}
        self._takers: set[Settling] = set()
        self._ready: defaultdict[str, deque[Delivery]] = defaultdict(deque)
        self._handed_out: dict[int, Delivery] = {}
        self._tags = count(-1, -1)
        self._handed_on = False

    @property
    def is_open(self) -> bool:
        """Whether the transaction has begun: what is written now is undone with it."""
        return self._transaction is not None

    def add(self, consumer: Settling) -> None:
        """A consumer has settled rows that it took, in this relay and before the transaction began."""
        if self._handed_on:
            raise PostroomError("a row that was taken before the relay cannot be settled in its transaction")
        self._settled[consumer] = None

    def holds(self, consumer: Settling) -> bool:
        """Whether what this consumer settled or gave back waits for the end of this relay."""
        return self.is_open or consumer in self._settled

    def open(self) -> None:
        """Begin the transaction. From here on no stage prepares: that may take long, and others could not write."""
        if self._transaction is None:
            self._transaction = ExitStack()
            self._transaction.enter_context(self._file.batch())

    def hand_on(self) -> bool:
        """Hand on what was settled, if anything was. Returns whether stages take messages from the relay alone."""
        if self._settled and not self._handed_on:
            self.open()
            self._handed_on = True
            self.post(self._let_go())
        return self.is_open

    def _let_go(self) -> list[Post]:
        with self._file.writing() as db:
            return [post for consumer in self._settled for post in consumer.let_go(db)]

    def post(self, posts: Sequence[Post]) -> None:
        """Hand messages on; what is held back for some time is written at once."""
        for each in posts:
            if each.until is None:
                self._ready[each.queue].append(Delivery(each.message, each.queue, 0, next(self._tags)))
        if later := [each for each in posts if each.until is not None]:
            self._put(later)

    def take(self, consumer: Settling) -> Sequence[Delivery]:
        """The next messages for a consumer's queue; their tags are negative, and no rows have them."""
        self._takers.add(consumer)
        ready = self._ready[consumer.queue]
        taken = [ready.popleft() for _ in range(min(consumer.prefetch, len(ready)))]
        self._handed_out.update((tag, each) for each in taken if isinstance(tag := each.tag, int))
        return taken

    def settle(self, tag: int, posts: Sequence[Post]) -> None:
        """A message that was handed out is done. One that is not becomes a row at the end."""
        del self._handed_out[tag]
        self.post(posts)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left and commit; on an error nothing was done."""
        done = False
        try:
            if error is None:
                self._finish()
                done = True
            elif self._transaction is not None:
                self._transaction.__exit__(kind, error, trace)
        finally:
            for consumer in self._takers:
                consumer.forget_handed_over()
            for consumer in self._settled:
                if done:
                    consumer.forget_settled()
                else:
                    consumer.return_settled()

    def _finish(self) -> None:
        if self._settled:
            self.open()
        if self._transaction is None:
            return
        with self._transaction:  # every failure ends it: a transaction that stays open would take all later writes
            self.hand_on()
            left = chain(self._handed_out.values(), *self._ready.values())
            self._put([Post(each.queue, each.message) for each in left])
            crash_point("broker.settling")
        crash_point("broker.settled")
