"""Mails of one batch that touch the same record, person or limit; and two desks on one store, one within the other.

All of it runs in one process, on `Phases`: the embedded store as batches on MongoDB find it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from services import runner
from services.pipeline import STAGES
from services.queues import QUEUES
from shared.app import App, Location
from shared.config.model import AutomaticMailCap, CommandPolicy, Configuration, Settings
from shared.embedded.broker import EmbeddedBroker, EmbeddedConsumer
from shared.intake import RawMail
from shared.runtime import crash_points
from shared.runtime.worker import PREFETCH, Worker
from shared.store import configuration as configuration_store
from shared.store.batch import batched
from shared.store.exchange import Read, Write
from shared.store.indexes import INDEXES
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import NOW, TickingClock
from tests.harness import ledger
from tests.harness.child import TIER_SCALE, Phases
from tests.harness.ledger import Effects
from tests.harness.mails import Sent

BEFORE_THE_WRITER = ("parser", "filter", "sender-matcher")
PIET, ANNA = "Piet <piet@customer.example>", "Anna <anna@fire.example>"
ANSWERED = 3
"""Automatic mails that strangers of one domain get at most."""


class Interrupted(Phases):
    """Calls `before_writing` with the number of each round that writes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.writing = 0
        self.before_writing: Callable[[int], None] = lambda _: None

    def exchange(self, reads: Sequence[Read], writes: Sequence[Write]) -> tuple[list[Any], list[bool | None]]:
        """A round."""
        if writes:
            self.writing += 1
            self.before_writing(self.writing)
        return super().exchange(reads, writes)


class Killed(BaseException):
    """Ends a desk as a kill would: nothing catches it, and what it had taken stays taken."""


@dataclass(slots=True)
class Watch:
    """Kills once so many single writes are durable. `left` counts down, to 0 when that happened."""

    left: int

    def passed(self, name: str) -> None:
        """See `shared.runtime.crash_points`."""
        if name.startswith("write.") and self.left:
            self.left -= 1
            if not self.left:
                raise Killed


class Desk:
    """A process's worth of a desk: the store in a folder, queues in `queues` of it. `width`: mails of a batch.

    `at`: what its clock says first.
    """

    def __init__(self, folder: Path, queues: str = "queues", *, width: int = PREFETCH, at: datetime = NOW) -> None:
        self.store, self.width = Interrupted(folder / "store"), width
        self.store.ensure(INDEXES)
        broker = EmbeddedBroker(folder / queues, QUEUES, tier_scale=TIER_SCALE)
        self.app = App(batched(self.store), broker, TickingClock(at), Location(folder))

    def declare(self, configuration: Configuration) -> None:
        """Make its queues and its configuration."""
        self.app.broker.declare()
        configuration_store.apply(self.app.documents, configuration, prune=True)

    def hand_in(self, sent: Sequence[Sent]) -> None:
        """Put these on intake."""
        self.app.intake.hand_over([RawMail(each.raw, each.inbox) for each in sent for _ in range(each.times)])

    def work(self, *stages: str) -> None:
        """Let these stages take batch after batch until nothing moves; or all stages, until no work is left."""
        workers = [self._worker(name) for name in stages or STAGES]
        while sum(worker.step(timeout=0) for worker in workers) or not (stages or self.app.broker.join(0.02)):
            pass
        for worker in workers:
            worker.consumer.close()

    def is_killed(self, monkeypatch: pytest.MonkeyPatch, writes: int, *stages: str) -> bool:
        """Work, until so many single writes are durable; whether there were so many."""
        with monkeypatch.context() as patch:
            patch.setattr(crash_points, "_watch", watch := Watch(writes))
            with suppress(Killed):
                self.work(*stages)
        return not watch.left

    def take_over(self) -> None:
        """What a desk that was killed has taken is free, as it is when a process has ended."""
        with self.app.broker.file.writing() as db:  # type: ignore[attr-defined]
            db.execute("UPDATE queue SET held = 0, holder = NULL WHERE held = 1 AND holder NOTNULL")

    def _worker(self, name: str) -> Worker:
        worker = Worker(STAGES[name](self.app), runner.worker_dependencies(self.app), prefetch=self.width)
        assert isinstance(worker.consumer, EmbeddedConsumer)
        worker.consumer._width = self.width
        return worker


@contextmanager
def desk(folder: Path, queues: str = "queues", **keys: Any) -> Iterator[Desk]:
    """A desk, closed at the end."""
    made = Desk(folder, queues, **keys)
    try:
        yield made
    finally:
        made.app.close()


def answering() -> Configuration:
    """One inbox that answers, up to a limit."""
    support = an_inbox("support", commands=CommandPolicy(reply_on_create=True, reply_on_update=True))
    cap = AutomaticMailCap(per_domain=ANSWERED)
    return a_configuration(support, settings=Settings(automatic_mail_cap=cap))


def earlier() -> list[Sent]:
    """What is there before the batch: Piet and Anna, with a record each."""
    return [_sent("parent", "It smokes.\n", "Printer", PIET), _sent("known", "It leaks.\n", "Hose", ANNA)]


def together() -> list[Sent]:
    """One batch: replies to one record, a mail and the answer to it, strangers of one domain, mails that come twice."""
    strangers = [_sent(f"s{n}", "Hello.\n", f"Lamp {n}", f"s{n}@elsewhere.example") for n in range(ANSWERED + 2)]
    return [*replies("One", "Two"), *new("Fire"), late(), *strangers, *new("Door", "Gate", times=2)]


def late() -> Sent:
    """The answer to the mail `Fire`."""
    keys = {"In_Reply_To": "<Fire@customer.example>"}
    return _sent("late", "It burns more.\n", "Re: Fire", ANNA, **keys)


def new(*subjects: str, times: int = 1) -> list[Sent]:
    """Mails that are answered, each a record of its own, and handed in so often."""
    return [_sent(each, "Hello.\n", each, f"anna@{each.lower()}.example", times) for each in subjects]


def replies(*texts: str) -> list[Sent]:
    """Replies to the record that is there before."""
    parent = {"In_Reply_To": "<parent@customer.example>"}
    return [_sent(each, f"{each}.\n", "Re: Printer", PIET, **parent) for each in texts]


def _sent(label: str, text: str, subject: str, sender: str, times: int = 1, **keys: str) -> Sent:
    raw = a_mail(text, subject=subject, sender=sender, Message_ID=f"<{label}@customer.example>", **keys)
    return Sent(label, raw, "recorded", "support", times)


ALONE: Final = 1
"""Mails of a batch that has no neighbours."""
OTHERS: Final = "others"
"""The queues of the other desk, in its folder."""


def prepared(folder: Path, sent: Sequence[Sent], *, width: int = PREFETCH) -> Path:
    """A folder with a desk on which these mails wait for the record writer."""
    with desk(folder, width=width) as made:
        made.declare(answering())
        made.hand_in(earlier())
        made.work()
        made.hand_in(sent)
        made.work(*BEFORE_THE_WRITER)
    return folder


def with_others(folder: Path, sent: Sequence[Sent], others: Sequence[Sent], *stages: str) -> Path:
    """A folder in which one desk has these mails before its writer, and another one those behind these stages.

    The others are handed in later: no reply waits for them.
    """
    prepared(folder, sent)
    with desk(folder, OTHERS, at=NOW + timedelta(minutes=1)) as other:
        other.app.broker.declare()
        other.hand_in(others)
        if stages:
            other.work(*stages)
    return folder


def work_elsewhere(folder: Path) -> None:
    """The other desk does all it has."""
    with desk(folder, OTHERS) as other:
        other.work()


def one_after_the_other(folder: Path, sent: Sequence[Sent], later: Sequence[Sent] = ()) -> Effects:
    """What these mails do when each is a batch of its own, and those that come later."""
    prepared(folder, sent, width=ALONE)
    with desk(folder, width=ALONE) as made:
        made.work()
        made.hand_in(later)
        made.work()
        return ledger.effects(made.app.documents)


def copied(ready: Path, folder: Path) -> Path:
    """The same once more."""
    return shutil.copytree(ready, folder)


def killed(ready: Path, folder: Path, patch: pytest.MonkeyPatch, **keys: Any) -> Iterator[Path]:
    """A desk whose writer is killed behind one single write; behind each in turn."""
    for writes in count(1):
        data = copied(ready, folder / f"killed {writes}")
        with desk(data, **keys) as dying:
            if not dying.is_killed(patch, writes, "record-writer"):
                return
        yield data
