"""IDLE (RFC 2177): a server says at once that mail has arrived, and the fetcher visits the inbox then.

For each IMAP inbox whose last visit succeeded, a thread holds a connection of its own that only waits. Polling goes on
as it is configured: what IDLE misses, the next poll finds. A server without IDLE is polled only.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol, runtime_checkable

from services.fetcher.mailbox import Mailbox
from shared.config.model import Inbox
from shared.contracts.errors import PostroomError, Unavailable

log = logging.getLogger("postroom.fetcher")

REISSUE_SECONDS: Final = 28 * 60.0
"""IDLE is given again after this time: a server may end it after 30 minutes (RFC 2177, 3)."""
RETRY_SECONDS: Final = 60.0
MAX_RETRY_SECONDS: Final = 900.0
MAX_WATCHED: Final = 100
"""Inboxes that are watched by one process; the others are polled only."""


class NoIdle(PostroomError):
    """The server does not offer IDLE."""


@runtime_checkable
class Watchable(Protocol):
    """What a mailbox that can wait has in addition."""

    def await_news(self, seconds: float) -> bool:
        """Wait until mail arrives, at most `seconds`; whether it did. Raises `NoIdle` or `Unavailable`."""


class _Watch(threading.Thread):
    """Waits for the mail of one inbox."""

    def __init__(self, inbox: Inbox, box_of: Callable[[Inbox], Mailbox], tell: Callable[[str], None]) -> None:
        super().__init__(name=f"idle-{inbox.name}", daemon=True)
        self.inbox, self._box_of, self._tell = inbox, box_of, tell
        self._ended = threading.Event()
        self._box: Mailbox | None = None
        self.is_waiting = False

    def run(self) -> None:
        """Wait until the end, or until the server refuses; connect again after failures, ever later."""
        pause = RETRY_SECONDS
        while not self._ended.is_set():
            try:
                self._wait()
                pause = RETRY_SECONDS
            except Unavailable as error:
                if self.is_waiting:
                    pause = RETRY_SECONDS
                log.info("idle_interrupted", extra={"inbox": self.inbox.name, "reason": str(error)})
            except PostroomError as error:  # no IDLE, or no login: the visits report that
                log.info("idle_not_used", extra={"inbox": self.inbox.name, "reason": str(error)})
                return
            except Exception:
                if not self._ended.is_set():
                    log.exception("idle_failed", extra={"inbox": self.inbox.name})
            finally:
                self.is_waiting = False
            self._ended.wait(pause)
            pause = min(pause * 2, MAX_RETRY_SECONDS)

    def _wait(self) -> None:
        box = self._box = self._box_of(self.inbox)
        if not isinstance(box, Watchable):
            raise NoIdle("this protocol has no IDLE")
        with box:
            news = True  # mail may have arrived before this connection
            while not self._ended.is_set():
                if news:
                    self._tell(self.inbox.name)
                self.is_waiting = True
                news = box.await_news(REISSUE_SECONDS)

    def end(self) -> None:
        """End it from another thread; `join` waits for that."""
        self._ended.set()
        if self._box is not None:
            self._box.hang_up()


class IdleWatch:
    """The watches of one process. `tell` is called, in any thread, with the name of an inbox that has news."""

    def __init__(self, box_of: Callable[[Inbox], Mailbox], tell: Callable[[str], None]) -> None:
        self._box_of, self._tell = box_of, tell
        self._watches: dict[str, _Watch] = {}

    @property
    def waiting(self) -> frozenset[str]:
        """The names of the inboxes whose servers we wait for now."""
        return frozenset(name for name, watch in self._watches.items() if watch.is_waiting)

    def tend(self, inboxes: Sequence[Inbox]) -> None:
        """Watch these inboxes and no others. A watch that gave up begins again when its inbox was left out once."""
        wanted = {inbox.name: inbox for inbox in inboxes[:MAX_WATCHED]}
        for name, watch in list(self._watches.items()):
            if wanted.get(name) != watch.inbox:
                watch.end()
                del self._watches[name]
        for name in wanted.keys() - self._watches.keys():
            watch = self._watches[name] = _Watch(wanted[name], self._box_of, self._tell)
            watch.start()

    def close(self, seconds: float) -> None:
        """End all of them; wait for them at most `seconds` each."""
        watches = list(self._watches.values())
        self.tend(())
        for watch in watches:
            watch.join(seconds)
