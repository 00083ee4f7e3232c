"""Faults planted on purpose, in a child process only: each breaks one promise, and the harness must notice.

A plant replaces one function of the product by a wrong one. It lives here, so that the product knows nothing of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

import services.parser.ahead
import services.parser.guarded
import services.parser.process
import services.parser.readers
import services.parser.stage
import services.record_writer.carry_out
import services.record_writer.commit
import services.record_writer.decide.plan
import services.record_writer.stage
import shared.store.outbox
import shared.store.records
from shared.app import App
from shared.contracts.change import Change
from shared.contracts.mapping import STORE, to_plain
from shared.embedded.broker import EmbeddedConsumer
from shared.embedded.relay import Relay
from shared.runtime.crash_points import crash_point
from shared.runtime.hooks import Decided
from shared.runtime.worker import Worker
from shared.store.mails import Mails
from shared.store.record import Record, changed_properties
from shared.store.records import Records
from tests.harness import parser_child
from tests.harness.batch_plants import BATCH_PLANTS


def plant(names: Sequence[str]) -> None:
    """Plant these before anything is opened."""
    for name in names:
        PLANTS[name]()


def after_opening(app: App, names: Sequence[str]) -> None:
    """What can only be broken once it is there."""
    if "binding-deleted" in names:
        from shared.rabbitmq.broker import RabbitBroker

        assert isinstance(app.broker, RabbitBroker)
        app.broker._publisher.ask(lambda channel: channel.queue_unbind("postroom.filter", "postroom", "filter"))


queues_apart = False
"""Whether the queues have a file handle of their own, as they have beside any other store than the embedded one."""


def keep_queues_apart() -> None:
    """For faults between store and queues that one transaction cannot have."""
    global queues_apart  # noqa: PLW0603  one per process
    queues_apart = True


def let_go_before_the_relay() -> None:
    """The deliveries leave their queue, and only then begins the transaction with what they caused."""

    def hand_on(self: Relay) -> bool:
        if self._settled and not self._handed_on:
            posts = self._let_go()
            crash_point("planted")
            self._handed_on = True
            open_(self)
            self.post(posts)
        return self.is_open

    open_ = Relay.open
    Relay.hand_on, Relay.open = hand_on, lambda _: None  # type: ignore[method-assign]


def ack_before_publish() -> None:
    """The delivery leaves its queue, and only then is published what it caused."""
    keep_queues_apart()

    def settle(self: EmbeddedConsumer, delivery: Any, then: Any = ()) -> None:
        original(self, delivery, ())
        self.flush()
        crash_point("planted")
        self.broker.publish(then)

    original = EmbeddedConsumer.settle
    EmbeddedConsumer.settle = settle  # type: ignore[method-assign]


def publish_without_mandatory() -> None:
    """The broker may drop what no queue takes, and confirms it all the same."""
    from shared.rabbitmq import frames

    frames.MANDATORY = b"\x00"


def random_ids() -> None:
    """What hangs on a record is inserted under a new id each time."""
    for module in (services.record_writer.carry_out, shared.store.records, shared.store.outbox):
        module.derived_id = lambda *_: uuid.uuid4().hex  # type: ignore[attr-defined]


def plan_again() -> None:
    """A redelivery does not look at what was decided, but decides again."""
    for module in (services.record_writer.commit, services.record_writer.decide.plan):
        module.pending_change = lambda *_: None  # type: ignore[attr-defined]

    def facts_of(matched: Any, mail: Any, *others: Any) -> Any:
        return original(matched, replace(mail, targets=None), *others)

    def claim(_: Any, __: str, decided: Any) -> Any:
        return tuple(decided)

    original = services.record_writer.stage.facts_of
    services.record_writer.stage.facts_of = facts_of
    Mails.claim = claim  # type: ignore[method-assign]


def outcome_before_effects() -> None:
    """The outcome is stored first, the effects follow."""

    def finish(facts: Any, decision: Any, cause: Any, lookups: Any, stores: Any, notices: Any) -> Any:
        if decision.ending == "recorded":
            labels = services.record_writer.commit.labels_of(decision.changes)
            stores.mails.finish(facts.envelope.mail_id, "recorded", reason="", records=labels, events=[])
            crash_point("planted")
        return original(facts, decision, cause, lookups, stores, notices)

    original = services.record_writer.commit.finish
    services.record_writer.commit.finish = finish


class _RolledBack(Exception):
    """Takes everything back that a batch has written."""


def settle_before_commit() -> None:
    """The broker lets the deliveries go before the store has what they did."""
    keep_queues_apart()

    def step_(self: Worker, timeout: float) -> int:
        deliveries = self.consumer.take(timeout)
        answers: list[Any] = []
        with contextlib.suppress(_RolledBack), self.dependencies.batch():
            answers = [self.decide(self.prepare(delivery)) for delivery in deliveries]
            raise _RolledBack
        for answer in answers:
            self.settle(answer)
        self.consumer.flush()
        crash_point("planted")
        with self.dependencies.batch():
            again = [self.decide(self.prepare(delivery)) for delivery in deliveries]
            self.dependencies.hooks(Decided(self.stage.name, self.stage.queue, again))
        return len(deliveries)

    Worker.step = step_  # type: ignore[method-assign]


def every_row_that_it_settled(consumer: EmbeddedConsumer, db: Any) -> set[tuple[int, int]]:
    """As if nobody else could have taken a row since."""
    there = {row[0] for row in db.execute("SELECT seq FROM queue")}
    return {(each.seq, each.takes) for each in consumer._settling if each.seq in there}


def no_fencing() -> None:
    """Whoever took a message once may still settle it, whoever has it now."""
    EmbeddedConsumer._still_ours = every_row_that_it_settled  # type: ignore[method-assign]


def no_duplicate_check() -> None:
    """Each look at a mail makes another mail of it."""
    services.parser.stage.mail_id = lambda *_: uuid.uuid4().hex  # type: ignore[attr-defined]


def no_version_check() -> None:
    """The record is written whatever it has become since it was read, and long enough after for another to do so."""

    def commit(self: Records, record: Any, change: Any, mail_id: str, at: Any) -> bool:
        document, changes = to_plain(Record, STORE)(record), changed_properties(change, record, at)
        pending = [*document["pending"], {"mail_id": mail_id, "change": to_plain(Change, STORE)(change)}]
        changed = {**document, **changes, "version": record.version + 1, "pending": pending}
        crash_point("planted")
        time.sleep(0.02)
        self.documents.replace("records", changed)
        return True

    Records.commit = commit  # type: ignore[method-assign]


def poison() -> None:
    """Not a fault of ours: a mail that kills whoever reads it."""
    original = services.parser.stage.guarded.read

    def read(raw: bytes, *args: Any, **keys: Any) -> Any:
        if b"poison" in raw:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(raw, *args, **keys)

    services.parser.stage.guarded.read = read  # type: ignore[assignment]


def parser_process() -> None:
    """Not a fault of ours either: mails that break the process in which they are parsed, or read ahead."""
    original = services.parser.readers._work

    def work(*args: Any) -> NoReturn:
        services.parser.readers.mime.read = parser_child.read  # type: ignore[attr-defined]
        original(*args)

    services.parser.readers._work = work
    services.parser.process.ENTRY = parser_child.__name__


def parser_anywhere() -> None:
    """The same mails, and they break a worker that parses them as well: nothing is read ahead."""
    parser_process()
    services.parser.ahead.WORTH_ASKING = sys.maxsize  # type: ignore[misc]
    services.parser.guarded.mime.read = parser_child.read  # type: ignore[attr-defined]


PLANTS: dict[str, Callable[[], None]] = {
    "let-go-before-the-relay": let_go_before_the_relay,
    "ack-before-publish": ack_before_publish,
    "publish-without-mandatory": publish_without_mandatory,
    "random-ids": random_ids,
    "plan-again": plan_again,
    "outcome-before-effects": outcome_before_effects,
    "settle-before-commit": settle_before_commit,
    "no-fencing": no_fencing,
    "no-duplicate-check": no_duplicate_check,
    "no-version-check": no_version_check,
    "poison": poison,
    "parser-process": parser_process,
    "parser-anywhere": parser_anywhere,
    "binding-deleted": lambda: None,
    **{name: partial(plant, setattr) for name, plant in BATCH_PLANTS.items()},
}
