"""Makes mails of many requests durable together: one thread hands over all that wait, in one transaction.

A request waits until its mail is confirmed. While the thread waits for the disk or for the broker's confirm, further
mails arrive, and the next hand-over takes all of them: the more requests, the fewer confirms a mail.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from shared.contracts.errors import Unavailable
from shared.intake import RawMail
from shared.lazy_dataclass import dataclass

log = logging.getLogger(__name__)

MAX_WAITING: Final = 2_000
"""Mails that may wait; more are refused, and the client tries again."""
MAX_TOGETHER: Final = 200
MAX_TOGETHER_BYTES: Final = 8 * 1024 * 1024
"""Mails, and bytes of mail, of one hand-over; a larger mail goes alone."""
STOP_SECONDS: Final = 30.0


class Busy(Exception):
    """Too many mails wait already."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A mail and the request that waits for it."""

    mail: RawMail
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[str]


_Result = tuple[_Waiting, "str | BaseException"]


class GroupCommit:
    """Hands mails over in groups. `hand_over` returns the ids of the mails, in order, when they are durable."""

    def __init__(self, hand_over: Callable[[Sequence[RawMail]], Sequence[str]]) -> None:
        self._hand_over = hand_over
        self._waiting = deque[_Waiting]()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    async def store(self, mail: RawMail) -> str:
        """The id of the mail, once it is durable. Raises `Unavailable` or `Busy`; the same mail again is harmless."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(mail, loop, loop.create_future())
        with self._changed:
            if self._stopped or len(self._waiting) >= MAX_WAITING:
                raise Busy
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="http-intake", daemon=True)
                self._thread.start()
            self._waiting.append(waiting)
            self._changed.notify()
        try:
            return await waiting.done
        except asyncio.CancelledError:  # its sender was answered: it would only hold memory
            with self._changed, suppress(ValueError):
                self._waiting.remove(waiting)
            raise

    def stop(self) -> None:
        """Hand over what waits, then end."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while group := self._next_group():
            _answer(self._handed_over(group))

    def _next_group(self) -> list[_Waiting]:
        """What waits, as much as goes together; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            group, size = list[_Waiting](), 0
            while self._waiting and len(group) < MAX_TOGETHER:
                size += len(self._waiting[0].mail.raw)
                if group and size > MAX_TOGETHER_BYTES:
                    break
                group.append(self._waiting.popleft())
            return group

    def _handed_over(self, group: Sequence[_Waiting]) -> list[_Result]:
        """Each with its id or its error. One mail that cannot be handed over refuses no other."""
        try:
            ids = self._hand_over([each.mail for each in group])
        except Unavailable as error:
            return [(each, error) for each in group]
        except Exception as error:
            if len(group) > 1:
                return [result for each in group for result in self._handed_over([each])]
            log.exception("http_intake_failed", extra={"inbox": group[0].mail.inbox})
            return [(group[0], error)]
        return list(zip(group, ids, strict=True))


def _answer(results: Sequence[_Result]) -> None:
    """Wake the requests: one call for each event loop, because each call wakes a loop by a pipe."""
    for loop in {each.loop for each, _ in results}:
        of_loop = [result for result in results if result[0].loop is loop]
        try:
            loop.call_soon_threadsafe(_resolve, of_loop)
        except RuntimeError:  # the loop has ended: nobody waits any more
            log.warning("http_intake_unanswered", extra={"mails": len(of_loop)})


def _resolve(results: Sequence[_Result]) -> None:
    for waiting, result in results:
        if waiting.done.done():  # the client has gone
            continue
        if isinstance(result, BaseException):
            waiting.done.set_exception(result)
        else:
            waiting.done.set_result(result)
