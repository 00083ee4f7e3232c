"""The parser's worker where there are more processors: the next mails are read while these are stored.

A batch is leased while the one before is worked on, so that its mails can be read by `readers` meanwhile. Only behind a
batch of mails that were never handed out: of one that ended its worker, nothing else is taken (decision 0092).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from shared.contracts.events import MailReceived
from shared.runtime.broker import Delivery
from shared.runtime.stage import Stage
from shared.runtime.worker import DEPENDENCY_ERRORS, Worker, WorkerDependencies

if TYPE_CHECKING:
    from services.parser.readers import Readers

log = logging.getLogger(__name__)

WORTH_ASKING: Final = 8
"""Mails in a batch, or waiting at the start: for fewer no process is started."""
MOST_BYTES: Final = 8 << 20
"""Bytes of raw mail that are read ahead; what follows is read in its turn."""

IDLE_SECONDS: Final = 30.0
WITHOUT_READERS_SECONDS: Final = 60.0
"""How long the worker reads all mails itself after the system refused a process, or memory for it."""
MOST_PROCESSES: Final = 4
"""Of all that `postroom up` starts by default: more readers than three wait for the one that writes."""


def default_processes() -> int:
    """How many processes `postroom up` uses: one for each processor that it may run on."""
    if not hasattr(os, "memfd_create"):
        return 1
    return min(MOST_PROCESSES, len(os.sched_getaffinity(0)))


def the_readers() -> Readers:
    """The readers of this process. Reading is imported for the first backlog: it is most of what the parser imports."""
    from services.parser.readers import READERS

    return READERS


class ReadingAhead(Worker):
    """Like any worker of the parser stage, with `readers` processes beside it."""

    def __init__(self, stage: Stage, dependencies: WorkerDependencies, *, prefetch: int, readers: int) -> None:
        super().__init__(stage, dependencies, prefetch=prefetch)
        self.readers = readers
        self._next: Sequence[Delivery] = ()
        self._events: dict[object, MailReceived] = {}
        self._busy_at, self._running = time.monotonic(), False
        self._without_until = 0.0

    def start_readers(self, waiting: int) -> bool:
        """Start the readers for this number of mails, if it is worth it; return whether they run."""
        if waiting >= WORTH_ASKING:
            self._with_readers(lambda readers: readers.start(self.readers))
        return self._running

    def _with_readers(self, use: Callable[[Readers], None]) -> None:
        """Use the readers; where there can be none, do without for some time."""
        self._running = True
        try:
            use(the_readers())
        except OSError as error:  # no further process, or no memory for its files
            log.warning("no_readers", extra={"reason": str(error)})
            the_readers().close()
            self._running, self._without_until = False, time.monotonic() + WITHOUT_READERS_SECONDS

    def take(self, timeout: float) -> Sequence[Delivery]:
        """The deliveries taken ahead, or else the next ones; and those behind them, ahead."""
        ahead, self._next = self._next, ()
        deliveries = ahead or super().take(timeout)
        self._rest(bool(deliveries))
        if deliveries and _are_fresh(deliveries):
            if not ahead and self._running:
                self._ask(deliveries)
            self._next = self._taken_ahead()
            self._ask(self._next)
        return deliveries

    def _rest(self, busy: bool) -> None:
        """End the readers when no mail has come for some time."""
        now = time.monotonic()
        self._busy_at = now if busy else self._busy_at
        if self._running and now - self._busy_at > IDLE_SECONDS:
            the_readers().close()
            self._running = False

    def _taken_ahead(self) -> Sequence[Delivery]:
        try:
            ahead = super().take(0)
        except DEPENDENCY_ERRORS:  # those in hand meet it too, and go back
            return ()
        if _are_fresh(ahead):
            return ahead
        self.give_back(ahead)
        return ()

    def _ask(self, deliveries: Sequence[Delivery]) -> None:
        """Have them read. One that cannot be decoded is refused in its turn; without readers all are read in theirs."""
        if not (self._running or len(deliveries) >= WORTH_ASKING) or time.monotonic() < self._without_until:
            return
        weight, asked = 0, list[bytes]()
        for delivery in deliveries:
            with suppress(Exception):
                event = self.stage.decode(delivery.message)
                weight += len(event.raw)
                if weight > MOST_BYTES:
                    break
                self._events[delivery.tag] = event
                asked.append(event.raw)
        self._with_readers(lambda readers: readers.ask(asked, self.readers))

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Those that were taken ahead go back with them, so that the order stays."""
        behind, self._next = self._next, ()
        returned = [*deliveries, *behind]
        for each in returned:
            self._events.pop(each.tag, None)
        super().give_back(returned)

    def read(self, delivery: Delivery) -> Any:
        """The prepared mail; one that was decoded ahead is not decoded again."""
        event = self._events.pop(delivery.tag, None)
        if event is None or self.stage.prepare is None:
            return super().read(delivery)
        return self.stage.prepare(event, False)


def _are_fresh(deliveries: Sequence[Delivery]) -> bool:
    return not any(delivery.count for delivery in deliveries)
