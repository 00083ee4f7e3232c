"""The publishes of one channel that wait for the broker's answer. Pure bookkeeping, no I/O.

Reads what was sent and what the broker answered; emits the publishes that are decided, each with its
verdict. Separate, because both publishing sides (kombu outside a worker, pika inside) need the same rules:
confirms come in any order and may cover many; a mandatory message that no queue takes is returned first and
*acknowledged* afterwards, and the return names no delivery tag.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Generic, TypeVar

from shared.lazy_dataclass import dataclass

Work = TypeVar("Work")


class PublishVerdict(Enum):
    """The result of one publish."""

    CONFIRMED = "confirmed"
    RETURNED = "no queue takes it"
    REFUSED = "the broker refused it (queue full, or an internal error)"


@dataclass(slots=True)
class _Waiting(Generic[Work]):
    work: Work
    message_id: str
    key: str
    since: float
    returned: bool = False


class Confirms(Generic[Work]):
    """Publishes in flight on one channel, by delivery tag in the order sent."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last = 0
        self._waiting: dict[int, _Waiting[Work]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def sent(self, work: Work, message_id: str, key: str) -> None:
        """Note a publish; call it once per publish, in order, before the broker can answer."""
        self._last += 1
        self._waiting[self._last] = _Waiting(work, message_id, key, self._now())

    def returned(self, message_id: str, key: str) -> int:
        """A return names the message alone. Messages in flight with equal id and key all count as returned.

        Published again they do no harm; taken for confirmed one of them might be lost.
        """
        found = [each for each in self._waiting.values() if each.message_id == message_id and each.key == key]
        for each in found:
            each.returned = True
        return len(found)

    def answered(self, tag: int, *, multiple: bool, ok: bool) -> Sequence[tuple[Work, PublishVerdict]]:
        """The broker's ack or nack for one tag, or for all up to it."""
        return [(each.work, _verdict(each, ok=ok)) for each in self._take(tag, multiple=multiple)]

    def _take(self, tag: int, *, multiple: bool) -> list[_Waiting[Work]]:
        if not multiple:
            waiting = self._waiting.pop(tag, None)
            return [] if waiting is None else [waiting]
        taken = []
        for each in list(self._waiting):
            if each > tag:
                break
            taken.append(self._waiting.pop(each))
        return taken

    def oldest_age(self) -> float:
        """Seconds that the oldest publish has waited; 0 when none waits."""
        first = next(iter(self._waiting.values()), None)
        return 0.0 if first is None else self._now() - first.since

    def start_again(self) -> None:
        """Restart the ages, because the time in which the broker had blocked publishers does not count."""
        for each in self._waiting.values():
            each.since = self._now()


def _verdict(waiting: _Waiting[Work], *, ok: bool) -> PublishVerdict:
    if waiting.returned:
        return PublishVerdict.RETURNED
    return PublishVerdict.CONFIRMED if ok else PublishVerdict.REFUSED
